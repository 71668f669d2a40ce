import { once } from "node:events";
import { connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import type { Change__Output } from "../../lib/gen/amaas/registry/v1/Change.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { timeMsOf, timestampOf } from "../../lib/timestamp.ts";
import { describeOnEachStore } from "./each-store.ts";
import { faultOf, upload } from "./running-registry.ts";

describeOnEachStore("the log of changes", (own) => {
  const create = (modelId: string, principal = "alice") =>
    own.running.registry.unary("CreateModel", { modelId }, { metadata: { "amaas-principal": principal } });
  const rename = (id: string, owner: string, principal = "alice") => {
    const request = { model: { name: `models/${id}`, owner }, updateMask: { paths: ["owner"] } };
    return own.running.registry.unary("UpdateModel", request, { metadata: { "amaas-principal": principal } });
  };

  /** All changes that filters find, newest first, read two at a time. */
  async function listed(filters: object = {}): Promise<Change__Output[]> {
    const seen: Change__Output[] = [];
    let pageToken = "";
    do {
      const page = await own.running.registry.unary("ListChanges", { ...filters, pageSize: 2, pageToken });
      expect(page.changes.length).to.be.at.most(2);
      seen.push(...page.changes);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return seen;
  }
  const numbers = async (filters: object) => (await listed(filters)).map(({ sequence }) => sequence);

  it("says who changed what, when and by which call, and what was before and after", async () => {
    const begin = Date.now();
    const metadata = { "amaas-principal": "alice@example.com" };
    const made = await own.running.registry.unary("CreateModel", { modelId: "digits" }, { metadata, requestId: "r-1" });
    const renamed = await rename("digits", "new", "bob");
    const changes = await listed();
    expect(changes.map(({ time, ...rest }) => rest)).to.deep.equal([
      {
        sequence: 2,
        principal: "bob",
        call: "UpdateModel",
        requestId: changes[0]?.requestId,
        resource: "models/digits",
        kind: "RESOURCE_KIND_MODEL",
        before: { kind: "model", model: made },
        after: { kind: "model", model: renamed },
      },
      {
        sequence: 1,
        principal: "alice@example.com",
        call: "CreateModel",
        requestId: "r-1",
        resource: "models/digits",
        kind: "RESOURCE_KIND_MODEL",
        before: null,
        after: { kind: "model", model: made },
      },
    ]);
    for (const { time } of changes) expect(timeMsOf(time!)).to.be.within(begin, Date.now());
  });

  it("names nobody where a caller does not say who it is, and takes no name that is the registry's or too long", async () => {
    await own.running.registry.unary("CreateModel", { modelId: "digits" });
    expect((await listed())[0]?.principal).to.equal("anonymous");
    for (const name of ["registry", "x".repeat(257)]) {
      const fault = await faultOf(create("words", name));
      expect(fault).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
  });

  it("has nothing of a caller whose name is no printable ASCII: the call is refused", async () => {
    const session = connect(`http://${own.running.address}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/amaas.registry.v1.RegistryService/CreateModel",
      "content-type": "application/grpc",
      te: "trailers",
      "amaas-principal": "andré",
    });
    const message = encodeMessage("registry", "amaas.registry.v1.CreateModelRequest", { modelId: "digits" });
    const frame = Buffer.concat([Buffer.alloc(5), message]);
    frame.writeUInt32BE(message.length, 1);
    stream.end(frame);
    const ended = once(stream, "response").then(([headers]) => headers);
    const trailers = await Promise.race([once(stream, "trailers").then(([headers]) => headers), ended]);
    stream.resume();
    session.destroy();
    expect(Number(trailers["grpc-status"])).to.equal(status.INVALID_ARGUMENT);
    expect(decodeURIComponent(trailers["grpc-message"])).to.match(/^amaas-principal is .*; needed: printable ASCII/);
    expect(await listed()).to.deep.equal([]);
  });

  it("has nothing of calls that changed nothing", async () => {
    await create("digits");
    await faultOf(create("digits"));
    await own.running.registry.unary("UndeleteModel", { name: "models/digits" });
    await faultOf(own.running.registry.unary("UpdateModel", { model: { name: "models/digits", etag: "another" } }));
    expect(await numbers({})).to.deep.equal([1]);
  });

  it("is found by resource, principal, call, kind and time, all of which must match", async () => {
    await create("digits");
    await create("digits-2", "bob");
    await rename("digits", "x", "bob");
    const artifact = await upload(own.running.registry, Buffer.from("some bytes"));
    await rename("digits", "y");
    const times = new Map((await listed()).map(({ sequence, time }) => [sequence, timeMsOf(time!)]));
    for (const [filters, found] of [
      [{ resource: "models/digits" }, [5, 3, 1]],
      [{ resource: "models/digit" }, []],
      [{ resource: artifact }, [4]],
      [{ principal: "bob" }, [3, 2]],
      [{ call: "UpdateModel" }, [5, 3]],
      [{ kind: "RESOURCE_KIND_ARTIFACT" }, [4]],
      [{ resource: "models/digits", principal: "bob", kind: "RESOURCE_KIND_MODEL" }, [3]],
      [{ endTime: timestampOf(times.get(1)!) }, []],
      [{ beginTime: timestampOf(times.get(5)! + 1) }, []],
    ] as const) {
      expect(await numbers(filters), JSON.stringify(filters)).to.deep.equal(found);
    }
    const [begin, end] = [times.get(2)!, times.get(4)!];
    const within = [...times].filter(([, timeMs]) => timeMs >= begin && timeMs < end).map(([sequence]) => sequence);
    expect(await numbers({ beginTime: timestampOf(begin), endTime: timestampOf(end) })).to.deep.equal(within);
  });

  it("is not listed on with a page token of other filters, nor by what cannot be", async () => {
    for (const id of ["a", "b", "c"]) await create(id);
    const { nextPageToken: pageToken } = await own.running.registry.unary("ListChanges", { pageSize: 1 });
    for (const request of [
      { pageToken, principal: "alice" },
      { pageToken, endTime: timestampOf(1) },
      { pageToken: "nonsense" },
      { resource: "models" },
      { resource: "models/a\0" },
      { principal: "a\0b" },
      { kind: 99 },
      { beginTime: { seconds: -1 } },
    ]) {
      const fault = await faultOf(own.running.registry.unary("ListChanges", request as object));
      expect(fault, JSON.stringify(request)).to.include({ code: status.INVALID_ARGUMENT, reason: "REQUEST_INVALID" });
    }
    const fault = await faultOf(own.running.registry.unary("ListChanges", { kind: 99 } as object));
    expect(fault.metadata.field).to.equal("kind");
    expect(fault.message).to.match(/^kind is 99; needed: .*RESOURCE_KIND_MODEL/);
  });

  it("is numbered without gaps, however many change something at once", async () => {
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      await create(`m${writer}`);
      for (let count = 0; count < 4; count++) await rename(`m${writer}`, String(count));
    });
    await Promise.all(writers);
    const changes = (await listed()).reverse();
    expect(changes.map(({ sequence }) => sequence)).to.deep.equal(Array.from({ length: 80 }, (_, index) => index + 1));
    // What one change has left is what the next one of the same resource finds.
    const last = new Map<string, unknown>();
    for (const { resource, before, after } of changes) {
      expect(before).to.deep.equal(last.get(resource) ?? null);
      last.set(resource, after);
    }
    const times = changes.map(({ time }) => timeMsOf(time!));
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it("answers with fewer changes where they are large, and still with all of them in the end", async () => {
    const description = "x".repeat(16_384);
    await own.running.registry.unary("CreateModel", { modelId: "m", model: { description } });
    // Each has the text twice.
    for (let count = 0; count < 200; count++) await rename("m", String(count));
    const first = await own.running.registry.unary("ListChanges", { pageSize: 1000 });
    expect(first.changes.length).to.be.within(50, 75);
    expect(await numbers({})).to.deep.equal(Array.from({ length: 201 }, (_, index) => 201 - index));
  });
});
