import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { mallocSettings } from "../../lib/malloc-settings.ts";
import type { ChildState } from "../../supervisor/child.ts";
import { isAlive } from "../../supervisor/processes.ts";
import { redisReply } from "../../supervisor/redis-client.ts";
import { defaultRestartPolicy } from "../../supervisor/restart-policy.ts";
import { type MemberName, Suite, type SuiteOptions } from "../../supervisor/suite.ts";
import { FakeSuite, until } from "./fake-suite.ts";
import { killedSupervisor } from "./killed-supervisor.ts";

describe("the suite", () => {
  let fake: FakeSuite;
  let suites: Suite[];
  beforeEach(() => {
    fake = new FakeSuite();
    suites = [];
  });
  afterEach(async () => {
    for (const suite of suites) await suite.stop();
    fake.remove();
  });

  function newSuite(env: Record<string, string> = {}, options: SuiteOptions = {}): Suite {
    const suite = new Suite(fake.config(env), { programs: fake.programs, ...options });
    suites.push(suite);
    return suite;
  }

  it("starts the registry before the others and tells them the ports that the system chose", async () => {
    const addresses = await newSuite().start();
    const started = fake.events().filter(({ event }) => event === "started");
    expect(started[0]?.name).to.equal("registry");
    expect(started.map(({ name }) => name)).to.have.members(["registry", "trainer", "inference", "gateway"]);
    const gateway = started.find(({ name }) => name === "gateway")?.env;
    expect(gateway).to.include({
      AMAAS_REGISTRY_ADDRESS: addresses.registry,
      AMAAS_TRAINER_ADDRESS: addresses.trainer,
      AMAAS_REDIS_URL: addresses.redis,
    });
    expect(started.find(({ name }) => name === "trainer")?.env).to.include({
      AMAAS_GATEWAY_ADDRESS: addresses.gateway,
    });
    expect(await answerAt(addresses.gateway)).to.equal(started.find(({ name }) => name === "gateway")?.pid);
  });

  it("tells the allocator of the node, and of no other service, how to keep memory, unless it is told already", async () => {
    await newSuite({ AMAAS_REDIS_URL: "redis://127.0.0.1:1", MALLOC_TRIM_THRESHOLD_: "1" }).start();
    const told = fake.events().filter(({ env }) => env !== undefined && "MALLOC_MMAP_THRESHOLD_" in env);
    expect(told.map(({ name }) => name)).to.deep.equal(["inference"]);
    expect(told[0]!.env).to.include({ ...mallocSettings, MALLOC_TRIM_THRESHOLD_: "1" });
  });

  it("stops the gateway first and the registry last", async () => {
    for (const name of ["registry", "trainer", "inference", "gateway"] as const) fake.behave(name, { drainMs: 50 });
    const suite = newSuite();
    await suite.start();
    await suite.stop();
    const draining = fake.order("draining");
    expect([draining[0], draining[3]]).to.deep.equal(["gateway", "registry"]);
    const events = fake.events().map(({ name, event }) => `${name} ${event}`);
    expect(events.indexOf("gateway ended")).to.be.below(events.indexOf("inference draining"));
    expect(events.indexOf("trainer ended")).to.be.below(events.indexOf("registry draining"));
  });

  it("leaves no process, socket, port or lock behind", async () => {
    const pids = new Map<MemberName, number>();
    const suite = newSuite({}, { onChange: (name, state) => state.kind === "running" && pids.set(name, state.pid) });
    const addresses = await suite.start();
    await suite.stop();
    expect([...pids.keys()]).to.have.members(["redis", "registry", "trainer", "inference", "gateway"]);
    expect([...pids.values()].filter(isAlive)).to.deep.equal([]);
    expect(await answerAt(addresses.gateway).catch((failure) => failure.code)).to.equal("ECONNREFUSED");
    expect(readdirSync(join(fake.folder, "data")).sort()).to.deep.equal(["lock.db", "logs", "redis"]);
    expect(readdirSync(join(fake.folder, "data", "redis"))).to.not.include("redis.sock");
    await newSuite().start();
  });

  it("restarts a service that was killed, on the same port", async () => {
    const suite = newSuite();
    const { inference } = await suite.start();
    const pid = await answerAt(inference);
    process.kill(pid, "SIGKILL");
    await until("another process answers", async () => (await answerAt(inference).catch(() => pid)) !== pid);
  });

  it("refuses a second start on the same data directory and names the directory and the holder", async () => {
    await newSuite().start();
    const refusal = await newSuite()
      .start()
      .catch((failure: Error) => failure.message);
    expect(refusal).to.include(join(fake.folder, "data")).and.to.include(`process ${process.pid}`);
    expect(existsSync(join(fake.folder, "data", "run.json")), "the holder's record").to.equal(true);
    expect(fake.order("draining")).to.deep.equal([]);
  });

  it("stops with the service's own words when a setting is malformed, without a restart", async () => {
    const complaint = 'AMAAS_TRAINER_THREADS: seen "many", needed a whole number';
    fake.behave("trainer", { complaint, exitCode: 78 });
    const failure = await newSuite()
      .start()
      .catch((caught) => caught);
    expect(failure.message).to.equal(`trainer: ${complaint}`);
    expect(failure.exitCode).to.equal(78);
    expect(fake.order("started").filter((name) => name === "trainer")).to.have.length(1);
    expect(fake.events().filter(({ pid }) => isAlive(pid))).to.deep.equal([]);
  });

  it("tells of a setting that turns out to be malformed in a restart", async () => {
    const failed = new Promise<string>((settle) => {
      const suite = newSuite({}, { onFailure: (name, { reason }) => settle(`${name}: ${reason}`) });
      void suite.start().then(async ({ gateway }) => {
        fake.behave("gateway", { complaint: "AMAAS_X: seen 1, needed 2", exitCode: 78 });
        process.kill(await answerAt(gateway), "SIGKILL");
      });
    });
    expect(await failed).to.equal("gateway: AMAAS_X: seen 1, needed 2");
  });

  it("gives up a start whose service crashes every time, and says why", async () => {
    fake.behave("registry", { complaint: "Error: the disk is on fire" });
    const policy = { ...defaultRestartPolicy, delayMsMin: 1, crashesMaxUnserved: 2 };
    const failure = await newSuite({}, { policy })
      .start()
      .catch((caught) => caught);
    expect(failure.message).to.equal("registry: Error: the disk is on fire");
    expect(fake.order("started")).to.deep.equal(["registry", "registry", "registry"]);
  });

  it("names the port and the setting where another program listens already", async () => {
    const other = createServer();
    const port = await new Promise<number>((settle) => {
      other.listen(0, "127.0.0.1", () => settle((other.address() as { port: number }).port));
    });
    for (const variable of ["AMAAS_GATEWAY_PORT", "AMAAS_GATEWAY_HTTP_PORT", "AMAAS_INFERENCE_METRICS_PORT"]) {
      const failure = await newSuite({ [variable]: String(port) })
        .start()
        .catch((caught) => caught);
      expect(failure.message).to.match(new RegExp(`^${variable}: seen "${port}", needed a free port`));
    }
    other.close();
    expect(fake.events()).to.deep.equal([]);
  });

  it("adopts the Redis that a killed supervisor left", async () => {
    const pids: number[] = [];
    const onChange = (name: MemberName, state: ChildState) => {
      if (name === "redis" && state.kind === "running") pids.push(state.pid);
    };
    const killed = await killedSupervisor(fake);
    const suite = newSuite({}, { onChange });
    await suite.start();
    expect(pids).to.deep.equal([killed.redis]);
    await suite.stop();
    expect(isAlive(killed.redis)).to.equal(false);
  });

  it("waits for the services of a killed supervisor, which drain by themselves", async () => {
    fake.behave("gateway", { drainMs: 300 });
    const killed = await killedSupervisor(fake);
    const waits: string[] = [];
    const suite = newSuite({}, { onWaiting: (reason) => waits.push(reason) });
    await suite.start();
    expect(waits).to.have.length(1);
    expect(waits[0]).to.include("gateway");
    expect(killed.services.filter(isAlive)).to.deep.equal([]);
    const earlier = fake.events().filter(({ pid }) => killed.services.includes(pid));
    expect(earlier.filter(({ event }) => event === "draining").map(({ why }) => why)).to.deep.equal(
      Array(4).fill("disconnect"),
    );
  });

  it("still knows the services of a killed supervisor after a start that was stopped while it waited for them", async () => {
    fake.behave("gateway", { drainMs: 3000 });
    const killed = await killedSupervisor(fake);
    let waits: () => void;
    const waiting = new Promise<void>((settle) => {
      waits = settle;
    });
    const stopped = newSuite({}, { onWaiting: () => waits() });
    const refusal = stopped.start().catch((failure: Error) => failure.message);
    await waiting;
    await stopped.stop();
    expect(await refusal).to.equal("stopped while starting");
    expect(killed.services.filter(isAlive), "they still drain").to.have.length.above(0);
    await newSuite().start();
    expect(killed.services.filter(isAlive)).to.deep.equal([]);
    const events = fake.events();
    const ended = events.findIndex(({ name, event }) => name === "gateway" && event === "ended");
    const next = events.findIndex(({ event, pid }) => event === "started" && !killed.services.includes(pid));
    expect(ended, "the old gateway ended before anything new").to.be.within(0, next);
  });

  it("starts and restarts services where the run can't be recorded", async () => {
    mkdirSync(join(fake.folder, "data", "run.json.new"), { recursive: true });
    const suite = newSuite();
    const { inference } = await suite.start();
    const pid = await answerAt(inference);
    process.kill(pid, "SIGKILL");
    await until("another process answers", async () => (await answerAt(inference).catch(() => pid)) !== pid);
  });

  it("runs a Redis that has every write on disk before it answers", async () => {
    const { redis } = await newSuite().start();
    const reply = await redisReply(redis.replace("unix://", ""), "CONFIG GET append*");
    expect(reply.split("\r\n")).to.include.members(["appendonly", "yes", "appendfsync", "always"]);
  });

  it("starts no Redis where one is given", async () => {
    const { redis } = await newSuite({ AMAAS_REDIS_URL: "redis://127.0.0.1:1" }).start();
    expect(redis).to.equal("redis://127.0.0.1:1");
    expect(existsSync(join(fake.folder, "data", "redis"))).to.equal(false);
  });

  it("keeps the socket of a private Redis short enough for any data directory", async () => {
    const deep = join(fake.folder, "a".repeat(60), "b".repeat(60));
    const suite = newSuite({ AMAAS_DATA_DIR: deep });
    const { redis } = await suite.start();
    const socket = redis.replace("unix://", "");
    expect(Buffer.byteLength(socket)).to.be.below(104);
    expect(existsSync(socket)).to.equal(true);
    await suite.stop();
    expect(existsSync(join(socket, ".."))).to.equal(false);
  });

  it("puts what services print into one log file each", async () => {
    fake.behave("trainer", { complaint: "a word" });
    await newSuite({}, { policy: { ...defaultRestartPolicy, crashesMaxUnserved: 0 } })
      .start()
      .catch(() => undefined);
    expect(readFileSync(join(fake.folder, "data", "logs", "trainer.log"), "utf8")).to.equal("a word\n");
  });

  it("can be stopped while it starts", async () => {
    fake.behave("registry", { deaf: true });
    const suite = newSuite();
    const started = suite.start().catch((failure: Error) => failure.message);
    await until("the registry listens", () => fake.order("listening").includes("registry"));
    await suite.stop();
    expect(await started).to.include("stopped while starting");
    expect(fake.order("started")).to.deep.equal(["registry"]);
  });
});

/** The process id that the fake service at an address answers with. */
function answerAt(address: string): Promise<number> {
  const [host, port] = address.split(":");
  return new Promise((settle, fail) => {
    const socket = connect(Number(port), host);
    socket.once("data", (bytes) => settle(Number(bytes.toString())));
    socket.once("error", fail);
  });
}
