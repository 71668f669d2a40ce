import { connect } from "node:net";
import { expect } from "chai";
import { eventually } from "../harness.ts";
import { RestFixture } from "./rest-fixture.ts";

describe("streams of registry and trainer by REST", () => {
  let fixture: RestFixture;
  const call: RestFixture["call"] = (...request) => fixture.call(...request);

  before(async () => {
    fixture = await new RestFixture().start();
  });
  beforeEach(() => fixture.forget());
  after(() => fixture.stop());

  it("takes a body of bytes as an upload, with its own size", async () => {
    const bytes = Buffer.alloc(3 * 1024 ** 2 + 5, 7);
    const response = await call("PUT", "/v1/artifacts/ab", bytes, { "content-type": "application/octet-stream" });
    expect(await response.json()).to.include({ name: "artifacts/ab", sizeBytes: String(bytes.length) });
    expect(fixture.asked[0]!.request).to.include({ sha256: "ab", sizeBytes: bytes.length, offset: 0 });
    expect(Buffer.concat(fixture.chunks).equals(bytes)).to.equal(true);
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
    expect(fixture.asked.at(-1)!.request).to.include({ afterSequence: 40, onlyNew: false });
    await changes.body!.cancel();
    expect((await call("GET", "/v1/jobs/a:watch", undefined, { "last-event-id": "x" })).status).to.equal(400);
  });

  it("ends the stream at the service when its caller leaves", async () => {
    const response = await call("GET", "/v1/jobs/endless:watch");
    const { signal } = fixture.asked[0]!.context;
    const cancelled = new Promise((resolve) => signal.addEventListener("abort", resolve));
    await response.body!.cancel();
    await cancelled;
  });

  it("ends all streams of a connection that is lost, also those whose turn has not come", async () => {
    const { hostname, port } = new URL(fixture.gateway.httpUrl);
    const socket = connect(Number(port), hostname);
    socket.write("GET /v1/jobs/endless:watch HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20));
    await eventually(() => expect(fixture.asked.length).to.equal(20));
    socket.destroy();
    await eventually(() => expect(fixture.asked.every(({ context }) => context.signal.aborted)).to.equal(true));
  });

  it("ends endless streams when it drains, with the reason", async () => {
    const draining = await new RestFixture().start();
    const response = await draining.call("GET", "/v1/changes:watch");
    const reader = response.body!.getReader();
    let text = Buffer.from((await reader.read()).value!).toString();
    const stopped = draining.stop();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += Buffer.from(part.value).toString();
    expect(text).to.match(/event: error\ndata: \{"code":14,"message":"the gateway is shutting down/);
    await stopped;
  });
});
