import type pg from "pg";
import type { Clock } from "../../../lib/clock.ts";
import { type PostgresConfig, postgresClient } from "./postgres.ts";

/** What registries that share a database tell each other: that there are new changes, and that the fleet is another one. */
export type Channel = "amaas_changes" | "amaas_fleet";
const channels: readonly Channel[] = ["amaas_changes", "amaas_fleet"];

/**
 * Hears what other registries say through PostgreSQL (LISTEN). A lost connection is opened again, and everything counts as said
 * then; whoever listens reads the tables, so nothing depends on a word that was missed.
 */
export class Notifications {
  readonly #config: PostgresConfig;
  readonly #clock: Clock;
  readonly #heard: (channel: Channel) => void;
  #client: pg.Client | undefined;
  #isStopped = false;
  #cancelRetry: () => void = () => undefined;

  constructor(config: PostgresConfig, clock: Clock, heard: (channel: Channel) => void) {
    this.#config = config;
    this.#clock = clock;
    this.#heard = heard;
  }

  /** Connects in the background, for ever. */
  start(): void {
    void this.#connect();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry();
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = postgresClient(this.#config);
    this.#client = client;
    let isOver = false;
    const over = () => {
      if (isOver) return;
      isOver = true;
      client.end().catch(() => undefined);
      if (!this.#isStopped) this.#cancelRetry = this.#clock.after(retryDelayMs, () => void this.#connect());
    };
    client.on("error", over);
    client.on("end", over);
    client.on("notification", ({ channel }) => this.#heard(channel as Channel));
    try {
      await client.connect();
      for (const channel of channels) await client.query(`LISTEN ${channel}`);
      for (const channel of channels) this.#heard(channel);
    } catch {
      over();
    }
  }
}

/** How long to wait before a lost server is tried again. */
const retryDelayMs = 250;
