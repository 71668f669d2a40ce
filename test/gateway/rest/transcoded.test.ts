import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "chai";
import { sendRaw } from "./raw-http.ts";
import { RestFixture } from "./rest-fixture.ts";

describe("REST for registry and trainer", () => {
  let fixture: RestFixture;
  const call: RestFixture["call"] = (...request) => fixture.call(...request);

  before(async () => {
    fixture = await new RestFixture().start();
  });
  beforeEach(() => fixture.forget());
  after(() => fixture.stop());

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
    expect(fixture.asked[0]!.request).to.deep.nested.include({
      modelId: "digits",
      "model.owner": "me",
      "model.tags": { team: "vision" },
      "model.compatibility": "COMPATIBILITY_MODE_FULL",
    });
  });

  it("takes numbers, flags and maps from the query", async () => {
    await call("GET", "/v1/models?page_size=5&showDeleted=true&tags[team]=a%20b&tags[x]=");
    expect(fixture.asked[0]!.request).to.deep.include({ pageSize: 5, showDeleted: true, tags: { team: "a b", x: "" } });
  });

  it("binds names of several segments, and masks", async () => {
    await call("PATCH", "/v1/models/digits?updateMask=owner,tags", { owner: "me" });
    expect(fixture.asked[0]!.request).to.deep.nested.include({
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
    expect(fixture.asked[1]!.request).to.deep.include({
      resource: "artifacts/ab",
      duration: { seconds: 1, nanos: 5e8 },
    });
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
      /^"model.nane" is no field of amaas.registry.v1.Model; the nearest is name; needed: one of name, /,
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
    [
      "a query of no UTF-8",
      "GET",
      "/v1/models?pageToken=%FF",
      undefined,
      400,
      /^the query is "pageToken=%FF"; needed: ASCII/,
    ],
    [
      "a query of no escapes",
      "GET",
      "/v1/models?pageToken=%zz",
      undefined,
      400,
      /^the query is "pageToken=%zz"; needed: /,
    ],
    [
      "half of a pair",
      "POST",
      "/v1/models",
      '{"description":"\\ud800"}',
      400,
      /needed: a string whose surrogates are pairs$/,
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
      expect(fixture.asked).to.deep.equal([]);
    });
  }

  it("says which methods a path has", async () => {
    expect((await call("PUT", "/v1/models/a")).headers.get("allow")).to.equal("GET, PATCH, DELETE");
  });

  it("refuses paths that lead upwards, as they are sent", async () => {
    for (const path of ["/v1/models/..", "/v1/models/%2e%2e", "/v1/models/a%00", "/v1/models/%E0%A4%A"]) {
      const { status, body } = await sendRaw(
        fixture.gateway.httpUrl,
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
      );
      expect(status, path).to.be.oneOf([400, 404]);
      expect(JSON.parse(body)).to.have.property("error");
    }
    expect(fixture.asked).to.deep.equal([]);
  });

  it("expands bodies that are compressed, within the limit", async () => {
    const small = gzipSync(JSON.stringify({ owner: "me" }));
    expect((await call("POST", "/v1/models?modelId=a", small, { "content-encoding": "gzip" })).status).to.equal(200);
    expect(fixture.asked[0]!.request).to.have.nested.property("model.owner", "me");
    const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));
    expect((await call("POST", "/v1/models?modelId=a", bomb, { "content-encoding": "gzip" })).status).to.equal(413);
    expect((await call("POST", "/v1/models?modelId=a", small, { "content-encoding": "br" })).status).to.equal(400);
    expect((await call("POST", "/v1/models?modelId=a", "{}", { "content-encoding": "gzip" })).status).to.equal(400);
  });

  it("compresses large answers for whoever takes them so", async () => {
    const head = "GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    const packed = await sendRaw(fixture.gateway.httpUrl, `${head}accept-encoding: br, gzip\r\n\r\n`);
    expect(packed.headers["content-encoding"]).to.equal("gzip");
    const plain = await sendRaw(fixture.gateway.httpUrl, `${head}accept-encoding: gzip;q=0\r\n\r\n`);
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
    const { requestId, headers, deadlineMs } = fixture.asked[0]!.context;
    expect(requestId).to.equal("my-id");
    expect(headers.traceparent).to.equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    expect(headers["amaas-principal"]).to.equal("me");
    expect(headers).not.to.have.property("cookie");
    expect(deadlineMs - Date.now()).to.be.within(1000, 5000);
  });
});
