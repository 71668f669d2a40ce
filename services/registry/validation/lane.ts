import type { Clock } from "../../../lib/clock.ts";
import { messageOf } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { versionName } from "../../../lib/resource-names.ts";
import { ownActor } from "../store/transaction.ts";
import type { Claim, ValidationQueue } from "../store/validation-queue.ts";
import type { Outcome } from "../store/validations.ts";
import type { ValidatorTask } from "./protocol.ts";
import { sampleTensors } from "./sample.ts";
import type { Scratch } from "./scratch.ts";
import type { ValidationConfig } from "./validation-config.ts";
import { Validator, type Verdict } from "./validator.ts";

/** What lanes work with. */
export interface LaneParts {
  readonly config: ValidationConfig;
  readonly queue: ValidationQueue;
  readonly scratch: Scratch;
  readonly clock: Clock;
  readonly log: Log;
}

/** How a claim ends. */
type Conclusion =
  /** `isKept` where it follows from the content alone. */
  | { readonly kind: "final"; readonly outcome: Outcome; readonly isKept: boolean }
  /** Not now; tried so often as far as the model is concerned. */
  | { readonly kind: "later"; readonly detail: string; readonly delayMs: number; readonly attempts: number };

/** Validates one variant after the other, in a process of its own, for as long as there are any. */
export class Lane {
  readonly #parts: LaneParts;
  readonly #validator: Validator;
  readonly #stopping = new AbortController();
  #lastWorkMs = 0;
  #isWoken = false;
  #endSleep: () => void = () => undefined;
  #running: Promise<void> | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#validator = new Validator(parts.config, parts.clock);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There may be something to validate. */
  wake(): void {
    this.#isWoken = true;
    this.#endSleep();
  }

  /** Gives back what it was at; settles when its process is gone. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
    await this.#validator.stop();
  }

  async #run(): Promise<void> {
    const { queue, log } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      this.#isWoken = false;
      try {
        const claim = await queue.claim(leaseMs);
        if (claim !== undefined) await this.#work(claim);
        else if (!this.#isWoken) await this.#idle();
      } catch (failure) {
        log.warn({ error: failure }, "validation has to wait");
        this.#isWoken = false;
        await this.#sleep();
      }
    }
  }

  async #idle(): Promise<void> {
    // What it holds may be of use to others.
    if (this.#parts.clock.now() - this.#lastWorkMs > idleMsMax) await this.#validator.stop();
    await this.#sleep();
  }

  async #sleep(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.after(lookMs, resolve);
      this.#endSleep = () => {
        cancel();
        resolve();
      };
    });
  }

  async #work(claim: Claim): Promise<void> {
    const { queue, log } = this.#parts;
    const { signal: stopping } = this.#stopping;
    const lost = new AbortController();
    const endRenewal = this.#renewUntilEnded(claim, lost);
    let conclusion: Conclusion;
    try {
      conclusion = await this.#conclusionOf(claim, AbortSignal.any([stopping, lost.signal]));
    } finally {
      endRenewal();
      this.#lastWorkMs = this.#parts.clock.now();
    }
    if (lost.signal.aborted) return;
    if (stopping.aborted) return queue.release(claim, 0, claim.attempts);
    const version = versionName(claim.model, claim.number);
    if (conclusion.kind === "later") {
      const { detail, delayMs, attempts } = conclusion;
      log.warn({ version, variant: claim.variant, detail, delayMs }, "validation is tried again later");
      return queue.release(claim, delayMs, attempts);
    }
    const concluded = await queue.conclude(validating, claim, conclusion.outcome, conclusion.isKept);
    if (concluded === undefined) return;
    const { state, state_reason: reason } = concluded.version;
    log.info({ version, variant: claim.variant, state, reason }, "validated");
  }

  /** Nothing that goes wrong here is an error: it is a conclusion. */
  async #conclusionOf(claim: Claim, signal: AbortSignal): Promise<Conclusion> {
    const { config, queue, scratch } = this.#parts;
    const { attempts, sha256, externalFiles, sampleJson } = claim;
    // Nobody has lived to say what came of the others.
    if (attempts >= config.attemptsMax) return rejected(`it could not be validated in ${config.attemptsMax} attempts`);
    try {
      const known = await queue.known(claim);
      if (known !== undefined) return { kind: "final", outcome: known, isKept: true };
      const { path, remove } = await scratch.layOut(sha256, externalFiles, signal);
      try {
        const locations = externalFiles.map(({ location }) => location);
        const task = { path, locations, sample: sampleJson === null ? null : sampleTensors(sampleJson) };
        return await this.#tried(claim, task, signal);
      } finally {
        await remove();
      }
    } catch (failure) {
      // Its files cannot be had, or no validator.
      return { kind: "later", detail: messageOf(failure), delayMs: this.#delayMsOf(claim), attempts };
    }
  }

  async #tried(claim: Claim, task: ValidatorTask, signal: AbortSignal): Promise<Conclusion> {
    // An attempt is one at the model: until a validator has started, it is none.
    await this.#validator.ready(signal);
    const attempts = await this.#parts.queue.begin(claim);
    let verdict = await this.#validator.validate(task, signal);
    // It may have been something else.
    if (isEnd(verdict) && !signal.aborted) verdict = await this.#validator.validate(task, signal);
    return this.#conclusionFrom(verdict, attempts);
  }

  #conclusionFrom(verdict: Verdict, attempts: number): Conclusion {
    if (verdict.kind === "outcome") return { kind: "final", outcome: verdict.outcome, isKept: true };
    const { detail } = verdict;
    if (verdict.kind === "crashed") return rejected(`the runtime crashed: ${detail}`);
    if (verdict.kind === "exceeded") return rejected(detail);
    if (attempts >= this.#parts.config.attemptsMax) {
      return rejected(`the machine could not try it, ${attempts} times; the last time: ${detail}`);
    }
    const delayMs = Math.min(retryDelayMsMin * 2 ** (attempts - 1), retryDelayMsMax);
    return { kind: "later", detail, delayMs, attempts };
  }

  /** The longer it has waited, the longer it waits: so the tries grow rarer, whoever makes them. */
  #delayMsOf({ createTimeMs }: Claim): number {
    const waitedMs = this.#parts.clock.now() - createTimeMs;
    return Math.min(Math.max(Math.floor(waitedMs / 4), retryDelayMsMin), retryDelayMsMax);
  }

  #renewUntilEnded(claim: Claim, lost: AbortController): () => void {
    const { clock, queue } = this.#parts;
    let cancel: () => void = () => undefined;
    let isEnded = false;
    const renewLater = () => {
      cancel = clock.after(leaseMs / 3, () => {
        queue
          .renew(claim, leaseMs)
          .then((isHeld) => {
            if (!isHeld && !isEnded) lost.abort();
          })
          // It holds for two more attempts.
          .catch(() => undefined)
          .finally(() => {
            if (!isEnded) renewLater();
          });
      });
    };
    renewLater();
    return () => {
      isEnded = true;
      cancel();
    };
  }
}

function isEnd({ kind }: Verdict): boolean {
  return kind === "crashed" || kind === "killed";
}

function rejected(reason: string): Conclusion {
  return { kind: "final", outcome: { kind: "rejected", reason }, isKept: false };
}

const validating = ownActor("ValidateVersion");

/** After how long others may take up what a dead registry was at, in milliseconds. */
const leaseMs = 15_000;
/** How often to look for something to do where nobody says that there is, in milliseconds. */
const lookMs = 1000;
/** How long a process without work stays, in milliseconds. */
const idleMsMax = 60_000;
/** How long to wait before it is tried again, at least and at most, in milliseconds. */
const retryDelayMsMin = 1000;
const retryDelayMsMax = 60_000;
