import { type Clock, systemClock } from "../../lib/clock.ts";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import type { Service } from "../../lib/process.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { runStopSteps, stopMsMaxOf } from "../../lib/stop-steps.ts";
import { Artifacts } from "./artifacts/artifacts.ts";
import type { RegistryConfig } from "./config.ts";
import { ControlPlane } from "./control/control-plane.ts";
import { aliasHandlers } from "./handlers/aliases.ts";
import { artifactHandlers } from "./handlers/artifacts.ts";
import { changeHandlers } from "./handlers/changes.ts";
import { compatibilityHandlers } from "./handlers/compatibility.ts";
import { controlHandlers } from "./handlers/control.ts";
import { holdHandlers } from "./handlers/holds.ts";
import { lineageHandlers } from "./handlers/lineage.ts";
import { modelHandlers } from "./handlers/models.ts";
import { nodeHandlers } from "./handlers/nodes.ts";
import { servingHandlers } from "./handlers/serving.ts";
import { upkeepHandlers } from "./handlers/upkeep.ts";
import { versionHandlers } from "./handlers/versions.ts";
import { Replies } from "./replies.ts";
import { AliasStore } from "./store/aliases.ts";
import type { OnStored } from "./store/artifacts.ts";
import { ChangeStore } from "./store/changes.ts";
import { Database } from "./store/database.ts";
import { HoldStore } from "./store/holds.ts";
import { LineageStore } from "./store/lineage.ts";
import { ModelStore } from "./store/models.ts";
import { Registration } from "./store/registration.ts";
import { ServingSettingsStore } from "./store/serving-settings.ts";
import { ValidationQueue } from "./store/validation-queue.ts";
import { ValidationStore } from "./store/validations.ts";
import { VersionStore } from "./store/versions.ts";
import { runtimeName } from "./validation/runtime-version.ts";
import type { Place } from "./validation/scratch.ts";
import { Settling } from "./validation/settling.ts";
import { Validation } from "./validation/validation.ts";

/** The registry: the catalogue and the control plane. */
export class RegistryService implements Service {
  readonly #config: RegistryConfig;
  readonly #clock: Clock;
  readonly #log: Log;
  /** What was acquired, and how to release it, in order of acquisition. */
  readonly #releases: [name: string, release: () => unknown][] = [];

  constructor(config: RegistryConfig, clock: Clock = systemClock) {
    this.#config = config;
    this.#clock = clock;
    this.#log = createLog("registry", config.logLevel);
  }

  async start(): Promise<{ readonly port: number }> {
    const { folder, artifacts: artifactsConfig, validation: validationConfig, control: controlConfig } = this.#config;
    const [clock, log] = [this.#clock, this.#log];
    const database = await Database.open(this.#config.database, clock);
    this.#releases.push(["database", () => database.close()]);
    const replies = new Replies(database, this.#config.replyBytesMax);
    const versions = new VersionStore(database, clock);
    const validations = new ValidationStore(runtimeName());
    const { waitingMax, uploadingMax } = validationConfig;
    const registration = new Registration({ database, clock, validations, waitingMax, uploadingMax });
    const onStored: OnStored = (transaction, sha256) => registration.artifactArrived(transaction, sha256);
    const artifacts = new Artifacts({ config: artifactsConfig, folder, database, onStored, clock, log });
    this.#releases.push(["artifacts", () => artifacts.stop()]);
    await artifacts.start();
    const queue = new ValidationQueue(database, clock, validations);
    const place: Place = (sha256, path, signal) => artifacts.bytes.place(sha256, path, signal);
    const validation = new Validation({ config: validationConfig, folder, database, queue, place, clock, log });
    this.#releases.push(["validation", () => validation.stop()]);
    await validation.start();
    const control = new ControlPlane({ config: controlConfig, database, clock, log });
    this.#releases.push(["control plane", () => control.stop()]);
    await control.start();

    const models = new ModelStore(database, clock);
    const fleet = () => control.capabilities;
    const aliases = new AliasStore(database, clock, fleet);
    const server = new RpcServer(this.#config, log);
    const calls = {
      ...modelHandlers(models),
      ...versionHandlers({ versions, registration, settling: new Settling(database), replies }),
      ...aliasHandlers(aliases, replies),
      ...compatibilityHandlers({ models, versions, aliases, fleet }),
      ...servingHandlers(new ServingSettingsStore(database, clock)),
      ...artifactHandlers(artifacts),
      ...upkeepHandlers(artifacts, clock),
      ...holdHandlers(new HoldStore(database, clock)),
      ...lineageHandlers({ lineage: new LineageStore(database), versions, artifacts: artifacts.store }),
      ...changeHandlers({ database, changes: new ChangeStore(database), clock }),
      ...nodeHandlers(control.fleet),
    };
    const reads = Object.keys(calls).filter((name) => readCall.test(name));
    server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", calls, reads);
    server.implement<ControlServiceHandlers>(
      "amaas.registry.v1.ControlService",
      controlHandlers(control, controlConfig.heartbeatMs),
    );
    this.#releases.push(["server", () => server.stop()]);
    const port = await server.start();
    log.info({ port }, "listening");
    return { port };
  }

  /** Ends streams, finishes accepted calls, closes the database last. */
  async stop(): Promise<void> {
    const steps = this.#releases.splice(0).reverse();
    await runStopSteps(steps, { msMax: stopMsMaxOf(this.#config), log: this.#log });
  }
}

/** Calls that change nothing: they are many, and logged at debug level only. */
const readCall = /^(Get|List|Query|Resolve|Diff|Check|Download|Watch)/;
