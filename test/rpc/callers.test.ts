import { once } from "node:events";
import { Client, credentials, Metadata, type ServiceError as RpcError, status } from "@grpc/grpc-js";
import { expect } from "chai";
import { serviceDefinition } from "../../lib/rpc/protos.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { messageBytesMax, Served, service } from "./served.ts";

const methods = serviceDefinition(service);

describe("a server of gRPC, called by grpc-js,", () => {
  let served: Served;
  let clients: Client[];

  beforeEach(async () => {
    served = new Served();
    await served.start();
    clients = [];
  });

  afterEach(async () => {
    for (const client of clients) client.close();
    await served.server.stop();
  });

  const connected = (options: object = {}) => {
    const client = new Client(`127.0.0.1:${served.port}`, credentials.createInsecure(), options);
    clients.push(client);
    return client;
  };
  const getModel = (client: Client, name: string, metadata = new Metadata(), deadline = Infinity) => {
    const { path, requestSerialize, responseDeserialize } = methods.GetModel!;
    let cancel!: () => void;
    const answered = new Promise<{ readonly name: string }>((resolve, reject) => {
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        { name },
        metadata,
        { deadline },
        (failure, reply) => (failure ? reject(failure) : resolve(reply as { name: string })),
      );
      cancel = () => call.cancel();
    });
    return { answered, cancel };
  };
  const failureOf = (answered: Promise<unknown>) =>
    answered.then(
      () => expect.fail("the call succeeded"),
      (failure: RpcError) => failure,
    );

  it("reads what is compressed by gzip and by deflate, of both forms of requests", async () => {
    const name = `models/${"a".repeat(5000)}`;
    for (const [place, algorithm] of [1, 2].entries()) {
      const client = connected({ "grpc.default_compression_algorithm": algorithm });
      expect((await getModel(client, name).answered).name).to.equal(name);
      expect(served.calls[2 * place]!.headers["grpc-encoding"]).to.equal(["deflate", "gzip"][place]);
      const { path, requestSerialize, responseDeserialize } = methods.UploadArtifact!;
      const sizeBytes = await new Promise((resolve, reject) => {
        const call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (failure, reply) =>
          failure ? reject(failure) : resolve((reply as { sizeBytes: number }).sizeBytes),
        );
        for (const bytes of [1, 50_000, 3]) call.write({ chunk: Buffer.alloc(bytes, 1) });
        call.end();
      });
      expect(sizeBytes).to.equal(50_004);
    }
  });

  it("gives handlers all headers, those of bytes with and without what fills them up", async () => {
    const metadata = new Metadata();
    metadata.set("one", "1");
    metadata.add("many", "a");
    metadata.add("many", "b");
    for (const bytes of [1, 2, 3]) metadata.set(`bytes-${bytes}-bin`, Buffer.alloc(bytes, 255));
    await getModel(connected(), "models/a", metadata).answered;
    const { headers } = served.calls[0]!;
    expect(headers).to.include({ one: "1", many: "a, b", "user-agent": headers["user-agent"] });
    for (const bytes of [1, 2, 3]) {
      expect(Buffer.from(String(headers[`bytes-${bytes}-bin`]), "base64").equals(Buffer.alloc(bytes, 255))).to.equal(
        true,
      );
    }
  });

  it("refuses to send a message above the limit, and says the limit", async () => {
    const fault = remoteFaultOf(await failureOf(getModel(connected(), "models/large").answered));
    expect(fault).to.include({ code: status.RESOURCE_EXHAUSTED, reason: "RESPONSE_TOO_LARGE" });
    expect(fault.message).to.contain(`at most ${messageBytesMax}`);
  });

  it("tells a handler of a caller that cancels, and of a deadline that passes, and of neither once it has answered", async () => {
    const client = connected();
    const cancelled = getModel(client, "models/never");
    const late = getModel(client, "models/never", new Metadata(), Date.now() + 100);
    const failures = [cancelled, late].map(({ answered }) => failureOf(answered));
    await getModel(client, "models/a", new Metadata(), Date.now() + 60_000).answered;
    const over = served.calls
      .slice(0, 2)
      .map(({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())));
    expect(served.calls[1]!.deadlineMs).to.be.within(Date.now() - 1000, Date.now() + 100);
    cancelled.cancel();
    await Promise.all(over);
    const codes = (await Promise.all(failures)).map(({ code }) => code);
    expect(codes).to.deep.equal([status.CANCELLED, status.DEADLINE_EXCEEDED]);
    for (const { signal } of served.calls.slice(0, 2)) expect(signal.reason).to.include({ reason: "CANCELLED" });
    const { signal, cancellation } = served.calls[2]!;
    expect([signal.aborted, cancellation.aborted]).to.deep.equal([false, false]);
  });

  it("sends replies at the speed of a caller who rests, and all of them in the end", async () => {
    const { path, requestSerialize, responseDeserialize } = methods.DownloadArtifact!;
    const call = connected().makeServerStreamRequest(path, requestSerialize, responseDeserialize, { offset: 300 });
    await once(call, "readable");
    call.read();
    await getModel(connected(), "models/a").answered;
    expect(served.given).to.be.below(100);
    let count = 1;
    for await (const { chunk } of call) expect(chunk[0]).to.equal(count++ % 256);
    expect(count).to.equal(300);
  });

  it("answers very many calls at once, each with its own", async () => {
    const client = connected();
    const names = Array.from({ length: 500 }, (_, index) => `models/${"m".repeat(index * 7)}-${index}`);
    const models = await Promise.all(names.map((name) => getModel(client, name).answered));
    expect(models.map(({ name }) => name)).to.deep.equal(names);
  });
});
