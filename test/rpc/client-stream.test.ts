import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { freePorts } from "../free-ports.ts";

describe("a stream of requests", () => {
  it("that fails while its next message is still being read is the caller's failure, and nobody else's", async () => {
    const [port] = await freePorts(1);
    const client = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", `127.0.0.1:${port}`);
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.prependListener("unhandledRejection", note);
    const failed = new AbortController();
    async function* parts() {
      yield { header: { sha256: "ab", sizeBytes: 2 } };
      await once(failed.signal, "abort");
      yield { chunk: Buffer.alloc(2) };
    }
    try {
      const upload = client.clientStream("UploadArtifact", parts()).catch(remoteFaultOf);
      // Refused for the same reason at the same time.
      await client.unary("GetArtifact", { name: "artifacts/ab" }).catch(() => undefined);
      await turn();
      await turn();
      failed.abort();
      expect(await upload).to.include({ code: status.UNAVAILABLE });
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off("unhandledRejection", note);
      client.close();
    }
  });
});
