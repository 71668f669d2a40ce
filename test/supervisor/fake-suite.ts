import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type ServiceName, type SuiteConfig, serviceNames, suiteConfig } from "../../supervisor/config.ts";
import { isAlive } from "../../supervisor/processes.ts";
import { fileOf } from "../repository.ts";

const fakeService = pathToFileURL(fileOf("test/supervisor/fake-service.mjs")).href;
const waitMs = 10_000;
const pollMs = 10;

/** One line of the journal. */
export interface Event {
  readonly name: ServiceName;
  readonly event: "started" | "listening" | "draining" | "ended";
  readonly pid: number;
  readonly why?: string;
  readonly env?: Record<string, string>;
}

/** A data directory of its own with four fake services, whose behaviour a test may change between starts. */
export class FakeSuite {
  readonly folder = mkdtempSync(join(tmpdir(), "amaas-test-"));
  readonly programs: Record<ServiceName, string>;
  readonly #journal = join(this.folder, "journal");

  constructor() {
    const program = (name: ServiceName) => join(this.folder, `${name}.mjs`);
    this.programs = {
      registry: program("registry"),
      trainer: program("trainer"),
      inference: program("inference"),
      gateway: program("gateway"),
    };
    for (const name of serviceNames) this.behave(name, {});
    writeFileSync(this.#journal, "");
  }

  /** See fake-service.mjs for the options. */
  behave(name: ServiceName, options: object): void {
    const given = JSON.stringify({ journal: this.#journal, ...options });
    const text = `import { serve } from ${JSON.stringify(fakeService)};\nserve("${name}", ${given});\n`;
    writeFileSync(this.programs[name], text);
  }

  /** Every port is 0 and the data directory a new one, unless `env` says otherwise. */
  config(env: Record<string, string> = {}): SuiteConfig {
    return suiteConfig({
      PATH: process.env.PATH,
      AMAAS_DATA_DIR: join(this.folder, "data"),
      AMAAS_REGISTRY_PORT: "0",
      AMAAS_TRAINER_PORT: "0",
      AMAAS_INFERENCE_PORT: "0",
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_GATEWAY_HTTP_PORT: "0",
      AMAAS_GATEWAY_METRICS_PORT: "0",
      AMAAS_INFERENCE_METRICS_PORT: "0",
      ...env,
    });
  }

  events(): Event[] {
    const lines = readFileSync(this.#journal, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  /** The names of the services with this event, in order. */
  order(event: Event["event"]): ServiceName[] {
    return this.events().flatMap((entry) => (entry.event === event ? [entry.name] : []));
  }

  /** Removes everything; kills first what a failed test may have left. */
  remove(): void {
    for (const { pid } of this.events()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Settles once `holds`; what it waits for goes into the error of a wait that takes too long. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpMs = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > giveUpMs) throw new Error(`waited ${waitMs} ms until ${what}`);
    await sleep(pollMs);
  }
}
