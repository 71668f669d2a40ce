import { join } from "node:path";
import type { Clock } from "../../../lib/clock.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import type { Log } from "../../../lib/log.ts";
import type { Database, Touched } from "../store/database.ts";
import { type Change, ownActor } from "../store/transaction.ts";
import type { ValidationQueue } from "../store/validation-queue.ts";
import { Lane } from "./lane.ts";
import { type Place, Scratch } from "./scratch.ts";
import type { ValidationConfig } from "./validation-config.ts";

/** What validation needs. */
export interface ValidationParts {
  readonly config: ValidationConfig;
  /** The registry's own part of the data directory. */
  readonly folder: string;
  readonly database: Database;
  readonly queue: ValidationQueue;
  readonly place: Place;
  readonly clock: Clock;
  readonly log: Log;
}

/** Validates what waits for it, gives up what has waited for too long, and keeps outcomes bounded. */
export class Validation {
  readonly #parts: ValidationParts;
  readonly #scratch: Scratch;
  readonly #lanes: readonly Lane[];
  #unlisten: () => void = () => undefined;
  #cancelTidying: () => void = () => undefined;
  #isStopped = false;

  constructor(parts: ValidationParts) {
    this.#parts = parts;
    this.#scratch = new Scratch(join(parts.folder, "validation"), parts.place);
    const laneParts = { ...parts, scratch: this.#scratch };
    this.#lanes = Array.from({ length: parts.config.processes }, () => new Lane(laneParts));
  }

  async start(): Promise<void> {
    const { database, queue } = this.#parts;
    await this.#scratch.start();
    await queue.start();
    this.#unlisten = database.onCommit((changes, touched) => {
      if (changes?.some(isWork) ?? touched.some(mayBeWork)) for (const lane of this.#lanes) lane.wake();
    });
    for (const lane of this.#lanes) lane.start();
    this.#tidyLater();
  }

  /** Gives back what it was at. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unlisten();
    this.#cancelTidying();
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }

  #tidyLater(): void {
    const { config, clock, log } = this.#parts;
    if (this.#isStopped) return;
    this.#cancelTidying = clock.after(Math.min(tidyMs, config.ageMsMax), () => {
      this.#tidy()
        .catch((failure: unknown) => {
          if (!this.#isStopped) log.warn({ error: failure }, "what has waited or been kept for too long goes later");
        })
        .finally(() => this.#tidyLater());
    });
  }

  async #tidy(): Promise<void> {
    const { config, queue, clock } = this.#parts;
    const reason = `it was not complete and validated within ${config.ageMsMax / 1000} s`;
    await queue.expire(expiring, clock.now() - config.ageMsMax, reason);
    await queue.prune(config.keptMax);
  }
}

/** Whether a change has left something to validate. */
function isWork({ kind, after }: Change): boolean {
  if (kind === "ARTIFACT") return true;
  if (kind !== "VERSION") return false;
  return (after as Version | undefined)?.variants?.some(({ state }) => state === "VERSION_STATE_VALIDATING") ?? false;
}

/** The same of a change of which only the resource is known. */
function mayBeWork({ kind }: Touched): boolean {
  return kind === "ARTIFACT" || kind === "VERSION";
}

const expiring = ownActor("ExpireVersion");

/** How often to look for what has waited too long, and for outcomes above those that are kept, in milliseconds. */
const tidyMs = 60_000;
