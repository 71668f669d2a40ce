import { join } from "node:path";
import type { Clock } from "../../../lib/clock.ts";
import type { Log } from "../../../lib/log.ts";
import { ArtifactStore, type OnStored } from "../store/artifacts.ts";
import type { Database } from "../store/database.ts";
import { GarbageStore } from "../store/garbage.ts";
import { Turns } from "../store/turns.ts";
import { ArtifactBytes } from "./artifact-bytes.ts";
import type { ArtifactsConfig } from "./artifacts-config.ts";
import type { ByteStore } from "./byte-store.ts";
import { Collector } from "./collector.ts";
import { LocalBytes } from "./local-bytes.ts";
import { S3Bytes } from "./s3-bytes.ts";
import { Scrubber } from "./scrubber.ts";
import { Upkeep } from "./upkeep.ts";
import { Uploads } from "./uploads.ts";

/** What artifacts need of the registry. */
export interface ArtifactsParts {
  readonly config: ArtifactsConfig;
  /** The registry's part of the data directory. */
  readonly folder: string;
  readonly database: Database;
  readonly onStored: OnStored;
  readonly clock: Clock;
  readonly log: Log;
}

/** All parts of the registry that are about artifacts. */
export class Artifacts {
  readonly config: ArtifactsConfig;
  readonly store: ArtifactStore;
  readonly bytes: ArtifactBytes;
  readonly uploads: Uploads;
  readonly collector: Collector;
  readonly scrubber: Scrubber;
  readonly #byteStore: ByteStore;
  readonly #turns: Turns;
  readonly #upkeep: Upkeep;

  constructor({ config, folder, database, onStored, clock, log }: ArtifactsParts) {
    this.config = config;
    this.#byteStore =
      config.store.kind === "s3" ? new S3Bytes(config.store) : new LocalBytes(join(folder, "artifacts"));
    this.store = new ArtifactStore(database, clock, onStored);
    const garbage = new GarbageStore(database, clock);
    this.bytes = new ArtifactBytes({ store: this.#byteStore, artifacts: this.store, garbage, clock, log });
    this.uploads = new Uploads(join(folder, "incoming"), config.uploads, clock);
    this.collector = new Collector(this.#byteStore, garbage, clock);
    this.scrubber = new Scrubber(this.store, this.bytes, clock);
    this.#turns = new Turns(database, clock);
    const { collector, scrubber } = this;
    this.#upkeep = new Upkeep(config.upkeep, { collector, scrubber, turns: this.#turns, clock, log });
  }

  async start(): Promise<void> {
    await this.#byteStore.start();
    await this.uploads.start();
    await this.#turns.start();
    this.#upkeep.start();
  }

  /** To be called when no calls run any more. */
  async stop(): Promise<void> {
    await this.#upkeep.stop();
    this.uploads.stop();
    this.#byteStore.close();
  }
}
