import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../lib/log.ts";
import type { CallContext } from "../../lib/rpc/call-context.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

export const service = "amaas.registry.v1.RegistryService";

export const messageBytesMax = 64 * 1024;

/** A server with a method of each form, and what its handlers have seen. */
export class Served {
  readonly server = new RpcServer(
    { host: "127.0.0.1", port: 0, messageBytesMax, drainTimeoutMs: 2000 },
    createLog("test", "silent"),
  );
  port = 0;
  /** Of all calls, in their order. */
  readonly calls: CallContext[] = [];
  /** Chunks that were read of uploads, and given of downloads. */
  read = 0;
  given = 0;
  /** Uploads go on reading when it settles. */
  mayRead: Promise<void> = Promise.resolve();

  async start(): Promise<number> {
    this.server.implement<RegistryServiceHandlers>(service, {
      GetModel: ({ name }, call) => {
        this.calls.push(call);
        if (name === "models/never") return new Promise<never>(() => undefined);
        if (name === "models/large") return { name, description: "x".repeat(messageBytesMax) };
        return { name };
      },
      UploadArtifact: async (requests, call) => {
        this.calls.push(call);
        let sizeBytes = 0;
        for await (const { chunk, header } of requests) {
          await this.mayRead;
          this.read++;
          sizeBytes += chunk?.length ?? 0;
          if (header !== null && header !== undefined) break;
        }
        return { sizeBytes };
      },
      DownloadArtifact: async function* (this: Served, { offset }: { offset: number }, call: CallContext) {
        this.calls.push(call);
        for (; this.given < offset; this.given++) yield { chunk: Buffer.alloc(50_000, this.given) };
      }.bind(this),
    });
    this.port = await this.server.start();
    return this.port;
  }
}

/** The bytes of a request of a method. */
export function getModel(name: string): Buffer {
  return encodeMessage("registry", "amaas.registry.v1.GetModelRequest", { name });
}

export function uploaded(bytes: number): Buffer {
  return encodeMessage("registry", "amaas.registry.v1.UploadArtifactRequest", { chunk: Buffer.alloc(bytes) });
}
