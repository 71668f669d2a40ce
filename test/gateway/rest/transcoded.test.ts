import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { ServiceError } from "../../../lib/errors.ts";
import type { TrainerServiceHandlers } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { createLog } from "../../../lib/log.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";
import { FakeRegistry } from "../fake-registry.ts";
import { emptyFolder, Harness } from "../harness.ts";
import { sendRaw } from "./raw-http.ts";

describe("REST for registry and trainer", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let trainer: RpcServer;
  let fake: FakeRegistry;
  let gateway: Harness;
  /** The requests that the services have seen. */
  let asked: { call: string; request: unknown; context: CallContext }[];
  let chunks: Buffer[];

  const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${gateway.httpUrl}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && {
        body: typeof body === "string" || body instanceof Buffer ? body : JSON.stringify(body),
      }),
    });

  beforeEach(async () => {
    folder = await emptyFolder();
    asked = [];
    chunks = [];
    const keep =
      <Reply>(name: string, reply: Reply) =>
      (request: unknown, context: CallContext) => {
        asked.push({ call: name, request, context });
        return reply;
      };
    fake = await new FakeRegistry([], {
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
    }).start();
    trainer = new RpcServer(
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
    gateway = await Harness.start({
      AMAAS_DATA_DIR: folder.path,
      AMAAS_REGISTRY_ADDRESS: fake.address,
      AMAAS_TRAINER_ADDRESS: `127.0.0.1:${await trainer.start()}`,
      AMAAS_MESSAGE_BYTES_MAX: "1048576",
      AMAAS_GATEWAY_JSON_BYTES_MAX: "65536",
    });
  });

  afterEach(async () => {
    await gateway.stop();
    await Promise.all([fake.stop(), trainer.stop()]);
    await folder.remove();
  });

  it("takes the resource as the body and the rest as the query", async () => {
    const response = await call("POST", "/v1/models?modelId=digits", {
      owner: "me",
      tags: { team: "vision" },
      compatibility: "COMPATIBILITY_MODE_FULL",
    });
    expect(response.status).to.equal(200);
    expect(await response.json()).to.include({
      name: "models/digits",
      owner: "",
      compatibility: "COMPATIBILITY_MODE_UNSPECIFIED",
    });
    expect(asked[0]!.request).to.deep.nested.include({
      modelId: "digits",
      "model.owner": "me",
      "model.tags": { team: "vision" },
      "model.compatibility": "COMPATIBILITY_MODE_FULL",
    });
  });

  it("takes numbers, flags and maps from the query", async () => {
    await call("GET", "/v1/models?page_size=5&showDeleted=true&tags[team]=a%20b&tags[x]=");
    expect(asked[0]!.request).to.deep.include({ pageSize: 5, showDeleted: true, tags: { team: "a b", x: "" } });
  });

  it("binds names of several segments, and masks", async () => {
    await call("PATCH", "/v1/models/digits?updateMask=owner,tags", { owner: "me" });
    expect(asked[0]!.request).to.deep.nested.include({
      "model.name": "models/digits",
      "updateMask.paths": ["owner", "tags"],
    });
  });

  it("writes whole numbers of 64 bits as texts, and times and durations as texts", async () => {
    const version = (await (await call("GET", "/v1/models/digits/versions/7")).json()) as {
      lineage: { seed: unknown };
    };
    expect(version.lineage.seed).to.equal("9007199254740991");
    const hold = await call("POST", "/v1/artifacts/ab:hold", { holder: "me", duration: "1.5s" });
    expect(await hold.json()).to.include({ expireTime: "2027-01-15T08:00:00.500Z" });
    expect(asked[1]!.request).to.deep.include({ resource: "artifacts/ab", duration: { seconds: 1, nanos: 5e8 } });
  });

  it("answers faults as google.rpc.Status, with the text once more for clients of Triton", async () => {
    const response = await call("DELETE", "/v1/models/digits?force=false");
    expect(response.status).to.equal(400);
    expect(response.headers.get("retry-after")).to.equal("2");
    expect(await response.json()).to.deep.equal({
      code: 9,
      message: "models/digits has aliases",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "MODEL_IN_USE",
          domain: "amaas",
          metadata: { name: "models/digits" },
        },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.500s" },
      ],
      error: "models/digits has aliases",
    });
  });

  for (const [what, method, path, body, status, message] of [
    [
      "a field that is not there",
      "POST",
      "/v1/models",
      { nane: 1 },
      400,
      /^"model.nane" is no field of amaas.registry.v1.Model; needed: one of name, /,
    ],
    ["a field of another kind", "POST", "/v1/models", { tags: 5 }, 400, /^model.tags is 5; needed: an object$/],
    [
      "a word that is none of an enum",
      "POST",
      "/v1/models",
      { compatibility: "FULL" },
      400,
      /^model.compatibility is "FULL"; needed: one of COMP/,
    ],
    [
      "a number that is too large",
      "GET",
      "/v1/models?pageSize=2147483648",
      undefined,
      400,
      /^pageSize is "2147483648"; needed: a whole number from -2147483648/,
    ],
    [
      "a parameter twice",
      "GET",
      "/v1/models?pageSize=1&pageSize=2",
      undefined,
      400,
      /^the query has "pageSize" more than once/,
    ],
    ["a parameter that is not there", "GET", "/v1/models?size=1", undefined, 400, /^"size" is no field/],
    [
      "a parameter besides the path",
      "GET",
      "/v1/models/a?name=models/b",
      undefined,
      400,
      /^the query has "name"; needed: only what/,
    ],
    [
      "another name in the body",
      "PATCH",
      "/v1/models/a",
      { name: "models/b" },
      400,
      /^model.name is "models\/b" in the body; needed: "models\/a"/,
    ],
    ["a body where there is none", "DELETE", "/v1/models/a", {}, 400, /^DELETE .* has no body/],
    ["a slash in a segment", "GET", "/v1/models/a%2Fb", undefined, 400, /^the path has the segment "a%2Fb"/],
    ["a path that nobody answers", "GET", "/v1/modells", undefined, 404, /^there is no GET "\/v1\/modells"/],
    ["a method that the path has not", "PUT", "/v1/models/a", undefined, 405, /needed: one of GET, PATCH, DELETE$/],
    ["a verb that the path has not", "POST", "/v1/models/a:explode", {}, 404, /^there is no POST/],
    ["a call that the service has not", "GET", "/v1/nodes", undefined, 501, /./],
    [
      "more JSON than may be",
      "POST",
      "/v1/models",
      { description: "x".repeat(70_000) },
      413,
      /^the body has 70018 bytes of JSON; needed: at most 65536/,
    ],
    [
      "a larger body than may be",
      "POST",
      "/v1/models",
      "x".repeat(1_048_577),
      413,
      /^the body has more than 1048576 bytes/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const response = await call(method, path, body);
      expect(response.status).to.equal(status);
      expect(((await response.json()) as { message: string }).message).to.match(message);
      expect(asked).to.deep.equal([]);
    });
  }

  it("says which methods a path has", async () => {
    expect((await call("PUT", "/v1/models/a")).headers.get("allow")).to.equal("GET, PATCH, DELETE");
  });

  it("refuses paths that lead upwards, as they are sent", async () => {
    for (const path of ["/v1/models/..", "/v1/models/%2e%2e", "/v1/models/a%00", "/v1/models/%E0%A4%A"]) {
      const { status, body } = await sendRaw(
        gateway.httpUrl,
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      expect(status, path).to.be.oneOf([400, 404]);
      expect(JSON.parse(body)).to.have.property("error");
    }
    expect(asked).to.deep.equal([]);
  });

  it("expands bodies that are compressed, within the limit", async () => {
    const small = gzipSync(JSON.stringify({ owner: "me" }));
    expect((await call("POST", "/v1/models?modelId=a", small, { "content-encoding": "gzip" })).status).to.equal(200);
    expect(asked[0]!.request).to.have.nested.property("model.owner", "me");
    const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
    expect((await call("POST", "/v1/models?modelId=a", bomb, { "content-encoding": "gzip" })).status).to.equal(413);
    expect((await call("POST", "/v1/models?modelId=a", small, { "content-encoding": "br" })).status).to.equal(400);
    expect((await call("POST", "/v1/models?modelId=a", "{}", { "content-encoding": "gzip" })).status).to.equal(400);
  });

  it("compresses large answers for whoever takes them so", async () => {
    const head = "GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    const packed = await sendRaw(gateway.httpUrl, `${head}accept-encoding: br, gzip\r\n\r\n`);
    expect(packed.headers["content-encoding"]).to.equal("gzip");
    const plain = await sendRaw(gateway.httpUrl, `${head}accept-encoding: gzip;q=0\r\n\r\n`);
    expect(plain.headers["content-encoding"]).to.equal(undefined);
    expect(gunzipSync(packed.bytes).equals(plain.bytes)).to.equal(true);
  });

  it("carries ids, trace, principal and deadline to the service, and the id back", async () => {
    const response = await call("GET", "/v1/models", undefined, {
      "x-request-id": "my-id",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "amaas-principal": "me",
      "grpc-timeout": "5S",
      cookie: "secret=1",
    });
    expect(response.headers.get("x-request-id")).to.equal("my-id");
    const { requestId, metadata, deadlineMs } = asked[0]!.context;
    expect(requestId).to.equal("my-id");
    expect(metadata.get("traceparent")).to.deep.equal(["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
    expect(metadata.get("amaas-principal")).to.deep.equal(["me"]);
    expect(metadata.get("cookie")).to.deep.equal([]);
    expect(deadlineMs - Date.now()).to.be.within(1000, 5000);
  });

  it("takes a body of bytes as an upload, with its own size", async () => {
    const bytes = Buffer.alloc(3 * 1024 ** 2 + 5, 7);
    const response = await call("PUT", "/v1/artifacts/ab", bytes, { "content-type": "application/octet-stream" });
    expect(await response.json()).to.include({ name: "artifacts/ab", sizeBytes: String(bytes.length) });
    expect(asked[0]!.request).to.include({ sha256: "ab", sizeBytes: bytes.length, offset: 0 });
    expect(Buffer.concat(chunks).equals(bytes)).to.equal(true);
  });

  it("answers a download with bytes, and cuts it where it fails", async () => {
    const response = await call("GET", "/v1/artifacts/ab:download?offset=10");
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).to.equal(30 * 64 * 1024);
    expect(bytes[0]).to.equal(10);
    expect((await call("GET", "/v1/artifacts/none:download")).status).to.equal(404);
    const cut = await call("GET", "/v1/artifacts/corrupt:download");
    expect(
      await cut.arrayBuffer().then(
        () => "whole",
        () => "cut",
      ),
    ).to.equal("cut");
  });

  it("answers streams as events with their numbers, and says how they ended", async () => {
    const response = await call("GET", "/v1/jobs/a:watch");
    expect(response.headers.get("content-type")).to.equal("text/event-stream");
    const events = (await response.text()).split("\n\n");
    expect(events.map((event) => event.split("\n")[0])).to.deep.equal(["id: 1", "id: 2", "event: end", ""]);
    expect(JSON.parse(events[0]!.split("\ndata: ")[1]!)).to.have.nested.property("progressed.epoch", 1);
    const broken = (await (await call("GET", "/v1/jobs/broken:watch")).text()).split("\n\n");
    expect(broken[1]).to.match(/^event: error\ndata: \{"code":14,"message":"the worker is gone"/);
    expect((await call("GET", "/v1/jobs/none:watch")).status).to.equal(404);
  });

  it("goes on behind the last event that a caller has seen, and tells it to stay away when there is no more", async () => {
    const again = await call("GET", "/v1/jobs/a:watch?afterSequence=0", undefined, { "last-event-id": "1" });
    expect(await again.text()).to.match(/^id: 2\n/);
    expect((await call("GET", "/v1/jobs/a:watch", undefined, { "last-event-id": "2" })).status).to.equal(204);
    const changes = await call("GET", "/v1/changes:watch?onlyNew=true", undefined, { "last-event-id": "40" });
    expect(asked.at(-1)!.request).to.include({ afterSequence: 40, onlyNew: false });
    await changes.body!.cancel();
    expect((await call("GET", "/v1/jobs/a:watch", undefined, { "last-event-id": "x" })).status).to.equal(400);
  });

  it("ends the stream at the service when its caller leaves", async () => {
    const response = await call("GET", "/v1/jobs/endless:watch");
    const { signal } = asked[0]!.context;
    const cancelled = new Promise((resolve) => signal.addEventListener("abort", resolve));
    await response.body!.cancel();
    await cancelled;
  });

  it("ends endless streams when it drains, with the reason", async () => {
    const response = await call("GET", "/v1/changes:watch");
    const reader = response.body!.getReader();
    let text = Buffer.from((await reader.read()).value!).toString();
    const stopped = gateway.stop();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += Buffer.from(part.value).toString();
    expect(text).to.match(/event: error\ndata: \{"code":14,"message":"the gateway is shutting down/);
    await stopped;
  });
});
