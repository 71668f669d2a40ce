import { expect } from "chai";
import type { DownloadArtifactResponse } from "../../lib/gen/amaas/registry/v1/DownloadArtifactResponse.ts";
import type { Model } from "../../lib/gen/amaas/registry/v1/Model.ts";
import type {
  RegistryServiceDefinition,
  RegistryServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UploadArtifactRequest } from "../../lib/gen/amaas/registry/v1/UploadArtifactRequest.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { BytesRoom, Framed } from "../../lib/rpc/encoded.ts";
import { encoded, encodeMessage } from "../../lib/rpc/protos.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

const service = "amaas.registry.v1.RegistryService";
/** Lengths around every change of the size of their own encoding. */
const lengths = [0, 1, 127, 128, 16_383, 16_384, 70_000, 2_097_151, 2_097_152];

describe("a message that is encoded already", () => {
  let server: RpcServer;
  let client: RpcClient<RegistryServiceDefinition>;

  beforeEach(async () => {
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 8 * 1024 ** 2, drainTimeoutMs: 2000 };
    server = new RpcServer(config, createLog("test", "silent"));
    const model = encoded<Model>("registry", "amaas.registry.v1.Model", { name: "models/a", owner: "somebody" });
    server.implement<RegistryServiceHandlers>(service, {
      GetModel: () => model,
      UpdateModel: async () => model,
      UploadArtifact: async (requests) => {
        let sizeBytes = 0;
        for await (const { chunk, header } of requests) sizeBytes += chunk?.length ?? header?.sizeBytes ?? 0;
        return encoded("registry", "amaas.registry.v1.Artifact", { sizeBytes });
      },
      DownloadArtifact: async function* ({ name }) {
        if (name === "framed") yield* framedAndNot();
        else for (const [index, length] of lengths.entries()) yield chunkOf<DownloadArtifactResponse>(1, length, index);
      },
    });
    client = new RpcClient(service, `127.0.0.1:${await server.start()}`);
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  it("is sent as a reply, at once or later, and however often", async () => {
    for (const method of ["GetModel", "UpdateModel", "GetModel"] as const) {
      expect(await client.unary(method, {})).to.include({ name: "models/a", owner: "somebody" });
    }
  });

  it("is sent as a part of a stream of replies", async () => {
    const seen: number[] = [];
    for await (const { chunk } of client.serverStream("DownloadArtifact", {})) {
      expect(chunk.every((byte) => byte === seen.length)).to.equal(true);
      seen.push(chunk.length);
    }
    expect(seen).to.deep.equal(lengths);
  });

  it("is sent with others at once where they are framed, before and behind those that are not", async () => {
    const seen: number[] = [];
    for await (const { chunk } of client.serverStream("DownloadArtifact", { name: "framed" })) {
      expect(chunk.every((byte) => byte === seen.length)).to.equal(true);
      seen.push(chunk.length);
    }
    expect(seen).to.deep.equal([...lengths, ...lengths]);
  });

  it("is sent as a part of a stream of requests, beside others", async () => {
    const requests = [
      { header: { sizeBytes: 5 } },
      ...lengths.map((length) => chunkOf<UploadArtifactRequest>(2, length)),
    ];
    const { sizeBytes } = await client.clientStream("UploadArtifact", requests);
    expect(sizeBytes).to.equal(lengths.reduce((sum, length) => sum + length, 5));
  });

  it("that a room of bytes makes is the one that the contract describes", () => {
    for (const length of lengths) {
      const chunk = Buffer.alloc(length, 7);
      const expected = encodeMessage("registry", "amaas.registry.v1.UploadArtifactRequest", { chunk });
      expect(chunkOf(2, length, 7).bytes.equals(expected), `${length} bytes`).to.equal(true);
    }
  });
});

/** Those of all lengths in one piece, then one by one. */
function* framedAndNot() {
  const chunks = lengths.map((length, index) => chunkOf<DownloadArtifactResponse>(1, length, index));
  yield Framed.joined<DownloadArtifactResponse>(chunks.map((chunk) => Framed.of(chunk).bytes));
  for (const [index, length] of lengths.entries()) {
    yield chunkOf<DownloadArtifactResponse>(1, length, lengths.length + index);
  }
}

function chunkOf<Message>(field: number, length: number, value = 0) {
  const room = new BytesRoom<Message>(field, length + 100);
  room.content.fill(value, 0, length);
  return room.message(length);
}
