import { type Clock, systemClock } from "../../lib/clock.ts";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import type { Service } from "../../lib/process.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { ArtifactFiles } from "./artifacts/artifact-files.ts";
import { Artifacts } from "./artifacts/artifacts.ts";
import { ReadingTurns } from "./artifacts/reading-turns.ts";
import type { RegistryConfig } from "./config.ts";
import { CatalogueChanges } from "./control/catalogue-changes.ts";
import { ControlPlane } from "./control/control-plane.ts";
import { aliasHandlers } from "./handlers/aliases.ts";
import { artifactHandlers } from "./handlers/artifacts.ts";
import { controlHandlers } from "./handlers/control.ts";
import { modelHandlers } from "./handlers/models.ts";
import { nodeHandlers } from "./handlers/nodes.ts";
import { upkeepHandlers } from "./handlers/upkeep.ts";
import { versionHandlers } from "./handlers/versions.ts";
import { AliasStore } from "./store/aliases.ts";
import { Database } from "./store/database.ts";
import { EntryStore } from "./store/entries.ts";
import { ModelStore } from "./store/models.ts";
import { VersionStore } from "./store/versions.ts";

/** The registry: the catalogue and the control plane. */
export class RegistryService implements Service {
  readonly #config: RegistryConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  #database: Database | undefined;
  #artifacts: Artifacts | undefined;
  #control: ControlPlane | undefined;
  #server: RpcServer | undefined;

  constructor(config: RegistryConfig, clock: Clock = systemClock) {
    this.#config = config;
    this.#clock = clock;
    this.#log = createLog("registry", config.logLevel);
  }

  async start(): Promise<{ readonly port: number }> {
    const { folder, database: databaseConfig, artifacts: artifactsConfig, control: controlConfig } = this.#config;
    const clock = this.#clock;
    const log = this.#log;
    const database = await Database.open(databaseConfig, clock);
    this.#database = database;
    const { query } = database;
    const onStored = async () => undefined;
    const artifacts = new Artifacts({ config: artifactsConfig, folder, database, onStored, clock, log });
    this.#artifacts = artifacts;
    await artifacts.start();
    const changes = new CatalogueChanges();
    const control = new ControlPlane(controlConfig, new EntryStore(query), changes, clock, this.#log);
    this.#control = control;
    await control.start();

    const server = new RpcServer(this.#config, this.#log);
    server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", {
      ...modelHandlers(new ModelStore(query), changes, clock),
      ...versionHandlers({
        versions: new VersionStore(query),
        artifacts: artifacts.store,
        files: new ArtifactFiles(folder),
        turns: new ReadingTurns(),
        changes,
        clock,
      }),
      ...aliasHandlers(new AliasStore(query), changes, clock),
      ...artifactHandlers(artifacts),
      ...upkeepHandlers(artifacts, clock),
      ...nodeHandlers(control.fleet),
    });
    server.implement<ControlServiceHandlers>(
      "amaas.registry.v1.ControlService",
      controlHandlers(control, controlConfig.heartbeatMs),
    );
    this.#server = server;
    const port = await server.start();
    this.#log.info({ port }, "listening");
    return { port };
  }

  /** Ends streams, finishes accepted calls, closes the database last. */
  async stop(): Promise<void> {
    const [server, control, artifacts, database] = [this.#server, this.#control, this.#artifacts, this.#database];
    this.#server = undefined;
    this.#artifacts = undefined;
    this.#control = undefined;
    this.#database = undefined;
    const failures: unknown[] = [];
    for (const step of [
      () => server?.stop(),
      () => control?.stop(),
      () => artifacts?.stop(),
      () => database?.close(),
    ]) {
      await Promise.resolve()
        .then(step)
        .catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw new AggregateError(failures, "shutdown left work behind");
  }
}
