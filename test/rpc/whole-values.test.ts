import { credentials, makeClientConstructor, status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../lib/log.ts";
import { decodeMessage, encodeMessage } from "../../lib/rpc/protos.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

/** One field of bytes, texts or a message. */
const field = (number: number, ...content: Uint8Array[]) => {
  const bytes = Buffer.concat(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
};
/** One that says that it is longer than its content. */
const torn = (number: number, content: string, saidBytes = 127) =>
  Buffer.concat([Buffer.from([(number << 3) | 2, saidBytes]), Buffer.from(content)]);
const request = (...fields: Uint8Array[]) =>
  decodeMessage<Record<string, unknown>>("inference", "inference.ModelInferRequest", Buffer.concat(fields));

describe("a message that ends before a value in it does", () => {
  const torns: Record<string, Uint8Array[]> = {
    "a string": [torn(1, "ab")],
    "an empty string": [torn(1, "", 1)],
    "the last of several strings": [field(1, Buffer.from("m")), torn(3, "id", 3)],
    "a string of a nested message": [field(5, torn(1, "x"))],
    "a string that goes on behind its nested message": [field(5, torn(1, "x", 4)), field(1, Buffer.from("m"))],
    "a key of a map": [field(4, torn(1, "key"))],
    "a key of a map that goes on in the value": [field(4, torn(1, "key", 6), field(2, Buffer.from([8, 1])))],
    "a text in a value of a map": [field(4, field(1, Buffer.from("key")), field(2, torn(3, "value")))],
    bytes: [torn(7, "ab")],
    "bytes in a nested message": [field(5, field(5, torn(8, "ab")))],
    "a packed integer": [field(5, field(3, Buffer.from([0x80, 0x80, 0x80])))],
    "an integer of a nested message": [field(5, Buffer.from([3 << 3, 0x80, 0x80, 0x80]))],
    "packed integers": [field(5, torn(3, "\u0001\u0002"))],
  };
  for (const [name, fields] of Object.entries(torns)) {
    it(`is refused where that is ${name}`, () => {
      expect(() => request(...fields)).to.throw();
    });
  }

  it("is refused where that is an integer of 64 bits at its end", () => {
    const parameter = (bytes: number[]) =>
      decodeMessage<{ int64Param?: string }>("inference", "inference.InferParameter", Buffer.from([2 << 3, ...bytes]));
    for (let count = 1; count <= 9; count++) {
      expect(() => parameter(Array(count).fill(0x80)), `${count} bytes`).to.throw(RangeError);
      expect(parameter([...Array(count).fill(0x80), 0]).int64Param).to.equal("0");
    }
  });

  it("is read where everything in it is whole, to the last byte", () => {
    const message = { modelName: "ä €", id: "", parameters: { ключ: { stringParam: "😀" } }, rawInputContents: [] };
    const bytes = encodeMessage("inference", "inference.ModelInferRequest", message);
    const whole = decodeMessage<Record<string, unknown>>("inference", "inference.ModelInferRequest", bytes);
    expect(whole).to.deep.include({ modelName: "ä €", id: "", rawInputContents: [] });
    expect((whole.parameters as Record<string, object>).ключ).to.include({ stringParam: "😀" });
  });

  it("is INVALID_ARGUMENT as a request, like every malformed one", async () => {
    const server = new RpcServer(
      { host: "127.0.0.1", port: 0, messageBytesMax: 1024, drainTimeoutMs: 1000 },
      createLog("test", "silent"),
    );
    server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", { GetModel: () => ({ name: "m" }) });
    const port = await server.start();
    const same = (bytes: Buffer) => bytes;
    const path = "/amaas.registry.v1.RegistryService/GetModel";
    const method = { path, requestStream: false, responseStream: false };
    const codec = {
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    const Client = makeClientConstructor({ GetModel: { ...method, ...codec } }, "registry");
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const fault = await new Promise<{ code: number; details: string } | null>((resolve) =>
      client.GetModel(Buffer.from("0a7f6162", "hex"), (error: never) => resolve(error)),
    );
    client.close();
    await server.stop();
    expect(fault).to.include({ code: status.INVALID_ARGUMENT });
    expect(fault?.details).to.contain("malformed protobuf");
  });
});
