import { connect } from "node:net";
import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics/metrics.ts";
import { MetricsServer } from "../../lib/metrics/metrics-server.ts";
import { scrape } from "./scrape.ts";

describe("the server of metrics", () => {
  const servers: MetricsServer[] = [];
  const started = async (describe: (metrics: Metrics) => void = () => undefined, host = "127.0.0.1", port = 0) => {
    const server = new MetricsServer({ host, port }, createLog("test", "silent"), describe);
    servers.push(server);
    await server.start();
    return server;
  };
  const ask = (server: MetricsServer, path = "/metrics", method = "GET") =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { method });

  afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

  it("gives those of a service and of its process", async () => {
    const server = await started((metrics) => metrics.gauge("mine", "Mine.", () => [{ labels: {}, value: 7 }]));
    const response = await ask(server);
    expect(response.status).to.equal(200);
    expect(response.headers.get("content-type")).to.equal("text/plain; version=0.0.4; charset=utf-8");
    const figures = await scrape(server.port);
    expect(figures.get("mine")).to.equal(7);
    expect(figures.get("process_resident_memory_bytes")).to.be.within(10 * 2 ** 20, 10 * 2 ** 30);
    expect(figures.get("process_cpu_seconds_total")).to.be.greaterThan(0);
    expect(figures.get("process_start_time_seconds")).to.be.closeTo(performance.timeOrigin / 1000, 1);
  });

  it("counts how late the event loop is, and every stall", async () => {
    const server = await started();
    let before = await scrape(server.port);
    // Its first look only begins the time that it measures.
    while (before.get("amaas_event_loop_delay_seconds_count") === 0) before = await scrape(server.port);
    for (let stall = 0; stall < 3; stall++) {
      const begin = performance.now();
      while (performance.now() - begin < 30);
      // The loop goes round, so that its timer sees each stall by itself.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const after = await scrape(server.port);
    const grown = (name: string) => after.get(name)! - before.get(name)!;
    expect(grown("amaas_event_loop_stalls_total")).to.be.at.least(3);
    expect(grown('amaas_event_loop_delay_seconds_bucket{le="+Inf"}')).to.equal(
      grown("amaas_event_loop_delay_seconds_count"),
    );
    const upTo = (le: string) => grown(`amaas_event_loop_delay_seconds_bucket{le="${le}"}`);
    expect(grown("amaas_event_loop_delay_seconds_count") - upTo("0.01")).to.equal(
      grown("amaas_event_loop_stalls_total"),
    );
    expect(after.get("amaas_event_loop_delay_max_seconds")).to.be.at.least(0.025);
    expect(grown("amaas_event_loop_delay_seconds_sum")).to.be.at.least(0.075);
  });

  it("has nothing else, and takes nothing", async () => {
    const server = await started();
    expect((await ask(server, "/")).status).to.equal(404);
    expect((await ask(server, "/metrics", "POST")).status).to.equal(405);
    expect((await ask(server, "/metrics?name=x")).status).to.equal(200);
    const head = await ask(server, "/metrics", "HEAD");
    expect([head.status, await head.text()]).to.deep.equal([200, ""]);
  });

  it("answers 500 where a metric cannot be read, and goes on", async () => {
    let isBroken = true;
    const server = await started((metrics) =>
      metrics.gauge("mine", "Mine.", () => {
        if (isBroken) throw new Error("broken");
        return [];
      }),
    );
    expect((await ask(server)).status).to.equal(500);
    isBroken = false;
    expect((await ask(server)).status).to.equal(200);
  });

  it("says where it could not listen, and why", async () => {
    const { port } = await started();
    const failure = await started(undefined, "127.0.0.1", port).catch((thrown) => thrown);
    expect(failure.message).to.equal(
      `cannot serve metrics on 127.0.0.1:${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    );
  });

  it("leaves nothing open when it stops, not even for one that asks without end; a second stop does nothing", async () => {
    const server = await started();
    const { port } = server;
    const socket = connect(port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write("GET /metrics HTTP/1.1\r\n");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    await closed;
    const failure = await fetch(`http://127.0.0.1:${port}/metrics`).catch((thrown) => thrown);
    expect(failure.cause.code).to.equal("ECONNREFUSED");
  });
});
