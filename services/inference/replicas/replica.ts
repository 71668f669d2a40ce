import type { Clock } from "../../../lib/clock.ts";
import { messageOf, type Reason, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import type { BatchSettings } from "../batching/batch-settings.ts";
import type { CallLimits } from "../batching/pending-request.ts";
import type { SequenceUsage } from "../sequences/sequences.ts";
import { VersionStatistics } from "../statistics/version-statistics.ts";
import type { InferenceRequest } from "../tensors/decode.ts";
import { type AspiredVersion, filesOf } from "./aspired-version.ts";
import type { InstancePool, PoolUsage } from "./instance-pool.ts";
import type { ModelRunner, ResponsePart } from "./model-runner.ts";
import type { PoolHooks } from "./open-pool.ts";
import { loadPlaced, type Placement } from "./placement.ts";
import type { LoadedPool } from "./runners.ts";

/** How far a replica is. */
export type ReplicaState =
  /** It is loaded by its first request. */
  | { readonly kind: "dormant" }
  /** The artifact is fetched, checked and loaded. */
  | { readonly kind: "loading" }
  /** It takes requests. */
  | { readonly kind: "ready"; readonly signature: Signature }
  /** It could not be loaded; it may be tried again from `retryAtMs`, in milliseconds since 1970, or Infinity. */
  | { readonly kind: "failed"; readonly reason: string; readonly retryAtMs: number }
  /** It finishes what it accepted and frees its memory; or only threads are left that do not come back, if ever. */
  | { readonly kind: "unloading"; readonly isLeftBehind: boolean };

/** What a replica is made of. */
export interface ReplicaOptions {
  /** What works here, best first. */
  readonly offeredProviders: Promise<readonly string[]>;
  readonly openPool: (placement: Placement, hooks: PoolHooks) => InstancePool;
  /** What requests are given to, once the model is loaded; may throw where the settings do not fit it. */
  readonly openRunner: (loaded: LoadedPool) => ModelRunner;
  /** Waits before a load that failed is tried again. */
  readonly retry: BackOff;
  /** The same where the node itself failed: short of memory, it would only get shorter by loads that come too soon. */
  readonly retryWhenShort: BackOff;
  /** How long a version whose sessions died too often is not loaded again, in milliseconds. */
  readonly quarantineMs: number;
  /** Called when the state has changed by itself: neither by `load` nor by `unload`. */
  readonly onChange: () => void;
  /** Called when it keeps no sequence any longer. */
  readonly onSequencesEnd: () => void;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** One version on this node. */
export class Replica {
  readonly aspired: AspiredVersion;
  /** Of what it did since it was loaded. */
  readonly statistics: VersionStatistics;
  readonly #options: ReplicaOptions;
  readonly #log: Log;
  #state: ReplicaState = { kind: "loading" };
  #pool: InstancePool | undefined;
  #placement: Placement | undefined;
  #runner: ModelRunner | undefined;
  /** The end of a pool that died too often. */
  #abandoned: Promise<unknown> | undefined;
  /** Settles when nothing is in memory any more of what was left behind: such pools, and sessions that do not come back. */
  #gone: Promise<unknown> = Promise.resolve();
  #loading: Promise<void> = Promise.resolve();
  #unloaded: Promise<void> | undefined;
  #failureCount = 0;
  #lastUsedMs: number;

  constructor(aspired: AspiredVersion, options: ReplicaOptions) {
    this.aspired = aspired;
    this.#options = options;
    this.statistics = new VersionStatistics(options.clock);
    this.#lastUsedMs = options.clock.monotonicMs();
    this.#log = options.log.child({ model: aspired.model, version: aspired.version });
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** When it last took a request, or was made. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** What it runs on; undefined until it has been loaded. */
  get placement(): Placement | undefined {
    return this.#placement;
  }

  /** What it holds at the moment, once it is ready. */
  get usage(): PoolUsage {
    return this.#pool!.usage;
  }

  /** What it keeps of sequences at the moment, once it is ready. */
  get sequenceUsage(): SequenceUsage {
    return this.#runner!.sequenceUsage;
  }

  /** Whether it keeps any; an unload loses them. */
  get hasSequences(): boolean {
    return this.#runner !== undefined && this.#runner.sequenceUsage.count > 0;
  }

  /** How requests are joined, once it is ready. */
  get batching(): BatchSettings {
    return this.#pool!.batching;
  }

  /** The size of its files, which every session holds. */
  get weightBytes(): number {
    return filesOf(this.aspired.content).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Settles when the replica is ready or has failed; never rejects. */
  load(): Promise<void> {
    this.#state = { kind: "loading" };
    this.#loading = this.#load();
    return this.#loading;
  }

  /** After a failure: loads nothing before it is told to. */
  rest(): void {
    this.#state = { kind: "dormant" };
  }

  /** Whether a request may have more than one response. */
  get isDecoupled(): boolean {
    return this.aspired.settings.decoupled !== undefined;
  }

  /** Runs a request that has one response; see `ModelRunner.run`. Throws MODEL_NOT_READY unless the replica is ready. */
  run(request: InferenceRequest, limits: CallLimits): Promise<readonly Tensor[]> {
    return this.#readyRunner().run(request, limits);
  }

  /** The responses to a request; see `ModelRunner.responses`. Throws MODEL_NOT_READY unless the replica is ready. */
  responses(request: InferenceRequest, limits: CallLimits): AsyncGenerator<ResponsePart> {
    return this.#readyRunner().responses(request, limits);
  }

  /** Finishes what it accepted, then frees its memory. A load under way is waited for. */
  unload(): Promise<void> {
    this.#unloaded ??= this.#unload();
    return this.#unloaded;
  }

  async #unload(): Promise<void> {
    this.#state = { kind: "unloading", isLeftBehind: false };
    await this.#loading;
    await this.#runner?.stop();
    await Promise.all([this.#pool?.stop(), this.#abandoned]);
    const { clock, onChange } = this.#options;
    const cancelTimer = clock.after(goneMsMax, () => {
      this.#state = { kind: "unloading", isLeftBehind: true };
      onChange();
    });
    await Promise.all([this.#pool?.gone(), this.#gone]);
    cancelTimer();
    this.#log.info({}, "version unloaded");
  }

  #readyRunner(): ModelRunner {
    if (this.#state.kind !== "ready") throw notReady(this.aspired, this.#state);
    this.#lastUsedMs = this.#options.clock.monotonicMs();
    return this.#runner!;
  }

  async #load(): Promise<void> {
    const begin = this.#options.clock.now();
    await this.#abandoned;
    try {
      const signature = await this.#start();
      this.#failureCount = 0;
      this.#settle({ kind: "ready", signature });
      this.#log.info({ durationMs: this.#options.clock.now() - begin, ...this.#placement }, "version loaded");
    } catch (failure) {
      const delayMs = this.#retryDelayMs(failure);
      const reason = messageOf(failure);
      this.#settle({ kind: "failed", reason, retryAtMs: this.#options.clock.now() + delayMs });
      this.#log.error(
        { reason, retryDelayMs: delayMs === Infinity ? "never" : Math.round(delayMs) },
        "version could not be loaded",
      );
    }
  }

  async #start(): Promise<Signature> {
    const { offeredProviders, openPool } = this.#options;
    const { executionProviders } = this.aspired.settings;
    const { placement, loaded, refusals } = await loadPlaced(
      executionProviders,
      await offeredProviders,
      async (wanted) => {
        const pool: InstancePool = openPool(wanted, {
          observer: this.statistics,
          onQuarantine: (why) => this.#quarantine(pool, why),
          onLost: () => this.#runner?.endLostSequences(),
        });
        return { pool, signature: await this.#started(pool) };
      },
    );
    const runner = await this.#opened(loaded.pool, loaded.signature);
    this.#pool = loaded.pool;
    this.#runner = runner;
    this.#placement = placement;
    if (refusals.length > 0) {
      this.#log.warn(
        { ...placement, refusals },
        "the version does not run on what it prefers, but on a fallback that is declared",
      );
    }
    return runner.signature;
  }

  async #started(pool: InstancePool): Promise<Signature> {
    try {
      return await pool.start();
    } catch (failure) {
      this.#gone = Promise.all([this.#gone, pool.gone()]);
      throw failure;
    }
  }

  async #opened(pool: InstancePool, signature: Signature): Promise<ModelRunner> {
    try {
      const { openRunner, onSequencesEnd } = this.#options;
      return openRunner({ pool, signature, observer: this.statistics, onSequencesEnd });
    } catch (unfit) {
      await pool.stop();
      throw unfit;
    }
  }

  /** A load that has not ended fails by itself. */
  #quarantine(pool: InstancePool, why: string): void {
    if (this.#state.kind !== "ready") return;
    const { clock, quarantineMs, onChange } = this.#options;
    this.#log.error({ why, quarantineMs }, "the version is in quarantine");
    this.#state = { kind: "failed", reason: `in quarantine: ${why}`, retryAtMs: clock.now() + quarantineMs };
    this.#abandoned = Promise.all([this.#runner!.stop(), pool.stop()]);
    this.#gone = Promise.all([this.#gone, this.#abandoned, pool.gone()]);
    onChange();
  }

  /** Infinity where another attempt would fail too: the runtime cannot load the right bytes, or the settings do not fit them. */
  #retryDelayMs(failure: unknown): number {
    const { retry, retryWhenShort, random } = this.#options;
    const reason = failure instanceof ServiceError ? failure.reason : undefined;
    if (reason !== undefined && lasting.has(reason)) return Infinity;
    return backOffMs(++this.#failureCount, reason === "INTERNAL" ? retryWhenShort : retry, random());
  }

  /** An unload that has begun meanwhile is not undone. */
  #settle(state: ReplicaState): void {
    if (this.#state.kind === "loading") this.#state = state;
  }
}

/** How long threads and processes that are lost may take to end before they count as left behind. */
const goneMsMax = 5000;

const lasting: ReadonlySet<Reason> = new Set(["ARTIFACT_INVALID", "REQUEST_INVALID", "TENSOR_INVALID"]);

/** The fault of a request to a version that is known and cannot take it. */
export function notReady(
  { model, version }: Pick<AspiredVersion, "model" | "version">,
  state: ReplicaState,
): ServiceError {
  const why = state.kind === "failed" ? `it could not be loaded: ${state.reason}` : `it is ${state.kind}`;
  return new ServiceError("MODEL_NOT_READY", `model '${model}' version ${version} is not ready: ${why}`, {
    metadata: { model, version: String(version), state: state.kind },
  });
}
