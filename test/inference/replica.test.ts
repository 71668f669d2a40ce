import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import type { InstancePool } from "../../services/inference/replicas/instance-pool.ts";
import { Replica } from "../../services/inference/replicas/replica.ts";
import { ManualClock } from "../manual-clock.ts";
import { aspiredVersion } from "./aspired.ts";
import { bareRunner, loneRequest } from "./bare-runner.ts";
import { settled } from "./hand-driven-instance.ts";

const signature = { inputs: [], outputs: [] };
const aspired = aspiredVersion("digits", 3);

describe("a replica", () => {
  /** What pools leave behind. */
  let gone: Promise<void>;
  let clock: ManualClock;
  beforeEach(() => {
    clock = new ManualClock();
    gone = Promise.resolve();
  });
  /** Each load takes the next outcome: a fault, or "loaded". */
  const replicaOf = (...outcomes: (ServiceError | "loaded")[]) => {
    const stops: number[] = [];
    const openPool = () =>
      ({
        start: async () => {
          const outcome = outcomes.shift();
          if (outcome instanceof ServiceError) throw outcome;
          return signature;
        },
        stop: async () => undefined,
        gone: () => {
          stops.push(1);
          return gone;
        },
      }) as unknown as InstancePool;
    const options = {
      offeredProviders: Promise.resolve(["cpu"]),
      openPool,
      openRunner: bareRunner,
      onSequencesEnd: () => undefined,
      retry: { firstMs: 100, maxMs: 250 },
      retryWhenShort: { firstMs: 10_000, maxMs: 15_000 },
      quarantineMs: 1000,
      onChange: () => undefined,
      random: () => 0,
      log: createLog("test", "silent"),
    };
    return { replica: new Replica(aspired, { ...options, clock }), stops };
  };
  const away = new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");

  it("is loading, then ready with its signature", async () => {
    const { replica } = replicaOf("loaded");
    const loaded = replica.load();
    expect(replica.state).to.deep.equal({ kind: "loading" });
    await loaded;
    expect(replica.state).to.deep.equal({ kind: "ready", signature });
  });

  it("may be tried again after a wait that grows with every failure in a row", async () => {
    const { replica } = replicaOf(away, away, away, "loaded", away);
    const waits: unknown[] = [];
    for (let load = 0; load < 5; load++) {
      await replica.load();
      waits.push(replica.state.kind === "failed" ? replica.state.retryAtMs : replica.state.kind);
    }
    expect(waits).to.deep.equal([50, 100, 125, "ready", 50]);
  });

  it("is tried again after a long wait where the machine was short of something", async () => {
    const short = new ServiceError("INTERNAL", "std::bad_alloc");
    const { replica } = replicaOf(short, short, "loaded");
    const waits: unknown[] = [];
    for (let load = 0; load < 3; load++) {
      await replica.load();
      waits.push(replica.state.kind === "failed" ? replica.state.retryAtMs : replica.state.kind);
    }
    expect(waits).to.deep.equal([5000, 7500, "ready"]);
  });

  it("is not tried again where the genuine bytes cannot be loaded", async () => {
    const { replica } = replicaOf(new ServiceError("ARTIFACT_INVALID", "not an ONNX model"));
    await replica.load();
    expect(replica.state).to.deep.equal({ kind: "failed", reason: "not an ONNX model", retryAtMs: Infinity });
  });

  it("that is unloaded while it loads is not ready afterwards, and frees what it loaded, once", async () => {
    const { replica, stops } = replicaOf("loaded");
    const loaded = replica.load();
    await Promise.all([replica.unload(), replica.unload(), loaded]);
    expect([replica.state.kind, stops.length]).to.deep.equal(["unloading", 1]);
  });

  it("that failed to load is unloaded only once what it has left behind is gone", async () => {
    const { replica } = replicaOf(new ServiceError("WORKER_LOST", "it did not come back"));
    let end!: () => void;
    gone = new Promise((resolve) => {
      end = resolve;
    });
    await replica.load();
    let isUnloaded = false;
    const unloaded = replica.unload().then(() => {
      isUnloaded = true;
    });
    await settled();
    expect(replica.state).to.deep.equal({ kind: "unloading", isLeftBehind: false });
    clock.advance(5000);
    expect([replica.state, isUnloaded]).to.deep.equal([{ kind: "unloading", isLeftBehind: true }, false]);
    end();
    await unloaded;
  });

  it("takes no requests unless it is ready", async () => {
    const { replica } = replicaOf();
    const limits = { deadlineMs: Infinity, signal: new AbortController().signal };
    const message = "model 'digits' version 3 is not ready: it is loading";
    expect(() => replica.run(loneRequest(), limits))
      .to.throw(message)
      .with.property("reason", "MODEL_NOT_READY");
  });
});
