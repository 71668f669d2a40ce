import { ServiceError } from "../../../lib/errors.ts";
import type { TrainerServiceHandlers } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { createLog } from "../../../lib/log.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";
import { FakeRegistry } from "../fake-registry.ts";
import { emptyFolder, Harness } from "../harness.ts";

/** A gateway with a registry and a trainer behind it that keep what they are asked, and answer some of it. */
export class RestFixture {
  /** The requests that the services have seen. */
  readonly asked: { call: string; request: unknown; context: CallContext }[] = [];
  /** Of the uploads. */
  readonly chunks: Buffer[] = [];
  gateway!: Harness;
  #stop: () => Promise<void> = async () => {};

  async start(settings: Record<string, string> = {}): Promise<this> {
    const folder = await emptyFolder();
    const fake = await this.#registry().start();
    const trainer = this.#trainer();
    this.gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: fake.address,
      AMAAS_TRAINER_ADDRESS: `127.0.0.1:${await trainer.start()}`,
      AMAAS_MESSAGE_BYTES_MAX: "1048576",
      AMAAS_GATEWAY_JSON_BYTES_MAX: "65536",
      ...settings,
    });
    this.#stop = async () => {
      await this.gateway.stop();
      await Promise.all([fake.stop(), trainer.stop()]);
      await folder.remove();
    };
    return this;
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** Forgets what has been asked. */
  forget(): void {
    this.asked.length = 0;
    this.chunks.length = 0;
  }

  /** Calls by HTTP; a body that is no text and no bytes is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const isRaw = typeof body === "string" || body instanceof Buffer;
    return fetch(`${this.gateway.httpUrl}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: isRaw ? body : JSON.stringify(body) }),
    });
  }

  #registry(): FakeRegistry {
    const { asked, chunks } = this;
    const keep =
      <Reply>(name: string, reply: Reply) =>
      (request: unknown, context: CallContext) => {
        asked.push({ call: name, request, context });
        return reply;
      };
    return new FakeRegistry([], {
      CreateModel: keep("CreateModel", { name: "models/digits", tags: { team: "vision" } }),
      ListModels: keep("ListModels", {}),
      UpdateModel: keep("UpdateModel", { name: "models/digits" }),
      GetVersion: keep("GetVersion", { name: "models/digits/versions/7", lineage: { seed: Number.MAX_SAFE_INTEGER } }),
      HoldResource: keep("HoldResource", {
        resource: "artifacts/ab",
        holder: "me",
        expireTime: { seconds: 1_800_000_000, nanos: 5e8 },
      }),
      DeleteModel: ({ name }) => {
        throw new ServiceError("MODEL_IN_USE", `${name} has aliases`, { metadata: { name }, retryDelayMs: 1500 });
      },
      UploadArtifact: async (requests) => {
        for await (const { header, chunk } of requests) {
          if (header) asked.push({ call: "UploadArtifact", request: header, context: undefined as never });
          if (chunk) chunks.push(chunk as Buffer);
        }
        return { name: "artifacts/ab", sizeBytes: chunks.reduce((sum, { length }) => sum + length, 0) };
      },
      DownloadArtifact: async function* ({ name, offset }) {
        if (name === "artifacts/none") throw new ServiceError("ARTIFACT_NOT_FOUND", "there is no such artifact");
        for (let index = Number(offset); index < 40; index++) yield { chunk: Buffer.alloc(64 * 1024, index) };
        if (name === "artifacts/corrupt") throw new ServiceError("ARTIFACT_CORRUPT", "these are not its bytes");
      },
      WatchCatalogue: async function* (request, context) {
        asked.push({ call: "WatchCatalogue", request, context });
        yield { sequence: 41, call: "UpdateAlias" };
        yield { sequence: 42, resource: "models/a" };
        await new Promise((resolve) => context.draining.addEventListener("abort", resolve));
      },
    });
  }

  #trainer(): RpcServer {
    const { asked } = this;
    const trainer = new RpcServer(
      { host: "127.0.0.1", port: 0, messageBytesMax: 1024 ** 2, drainTimeoutMs: 0 },
      createLog("trainer", "silent"),
    );
    trainer.implement<TrainerServiceHandlers>("amaas.trainer.v1.TrainerService", {
      WatchJob: async function* ({ name, afterSequence }, context) {
        asked.push({ call: "WatchJob", request: { name, afterSequence }, context });
        if (name === "jobs/none") throw new ServiceError("JOB_NOT_FOUND", "there is no jobs/none");
        if (afterSequence < 1) yield { sequence: 1, progressed: { epoch: 1 } };
        if (name === "jobs/broken") throw new ServiceError("WORKER_LOST", "the worker is gone");
        if (afterSequence < 2) yield { sequence: 2, stateChanged: { state: "STATE_SUCCEEDED" } };
        if (name === "jobs/endless") await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      },
    });
    return trainer;
  }
}
