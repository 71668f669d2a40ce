import { expect } from "chai";
import fc from "fast-check";
import { type AspiredVersion, isSameVersion } from "../../services/inference/replicas/aspired-version.ts";
import { nextAction, refusals, waitsForRoom } from "../../services/inference/replicas/policy.ts";
import type { HeldVersion } from "../../services/inference/replicas/policy-snapshot.ts";
import type { ReplicaState } from "../../services/inference/replicas/replica.ts";
import { aspiredVersion } from "./aspired.ts";

const ready: ReplicaState = { kind: "ready", signature: { inputs: [], outputs: [] } };
const pinned = (model: string, memoryBytes: number) => aspiredVersion(model, 1, { memoryBytes });
const onDemand = (model: string, memoryBytes: number) => aspiredVersion(model, 1, { memoryBytes, isOnDemand: true });
const held = (aspired: AspiredVersion, lastUsedMs = 0, state: ReplicaState = ready): HeldVersion => ({
  aspired,
  state,
  lastUsedMs,
  hasSequences: false,
});
const snapshot = (aspired: readonly AspiredVersion[], replicas: readonly HeldVersion[], demanded = "") => ({
  nowMs: 0,
  loadsMax: 4,
  budgetBytes: 100,
  isDemanded: ({ model }: AspiredVersion) => demanded.includes(model),
  aspired,
  held: replicas,
});
/** What is done, as "load a". */
const next = (...world: Parameters<typeof snapshot>) => {
  const action = nextAction(snapshot(...world));
  if (action === undefined) return "nothing";
  return `${action.kind} ${action.kind === "load" ? action.aspired.model : action.replica.aspired.model}`;
};

describe("the policy of a node whose memory is bounded", () => {
  const [a, b, c] = [onDemand("a", 40), onDemand("b", 40), onDemand("c", 40)];

  it("loads what is loaded on demand only where requests wait for it, and keeps it", () => {
    expect(next([a, b], [])).to.equal("nothing");
    expect(next([a, b], [], "b")).to.equal("load b");
    expect(next([a, b], [held(b)])).to.equal("nothing");
  });

  it("unloads what was used least recently, and waits until it has gone", () => {
    const loaded = [held(a, 7), held(b, 5)];
    expect(next([a, b, c], loaded, "c")).to.equal("unload b");
    expect(next([a, b, c], [held(a, 7), held(b, 5, { kind: "unloading", isLeftBehind: false })], "c")).to.equal(
      "nothing",
    );
    expect(next([a, b, c], [held(a, 7)], "c")).to.equal("load c");
  });

  it("does not wait for memory that threads hold which do not come back, and does not give it away", () => {
    const left = held(b, 5, { kind: "unloading", isLeftBehind: true });
    expect(next([a, b], [left], "b")).to.equal("load b");
    expect(next([a, b, c], [held(a, 7), left], "c")).to.equal("unload a");
    const world = [[pinned("p", 70)], [left]] as const;
    expect([next(...world), refusals(snapshot(...world)).size]).to.deep.equal(["nothing", 1]);
  });

  it("unloads nothing that requests wait for, and nothing that has to stay", () => {
    expect(next([a, b, c], [held(a, 7), held(b, 5)], "bc")).to.equal("unload a");
    const busy = [[a, b, c], [held(a, 7), held(b, 5)], "abc"] as const;
    expect([next(...busy), refusals(snapshot(...busy)).size]).to.deep.equal(["nothing", 0]);
    const world = [[pinned("p", 70), a], [held(pinned("p", 70))], "a"] as const;
    expect(next(...world)).to.equal("nothing");
    expect([...refusals(snapshot(...world)).values()]).to.deep.equal([
      "it needs 40 bytes of memory; the node has 100, of which 30 are free or may be freed",
    ]);
  });

  it("unloads nothing that keeps sequences, unless it is no longer assigned, and waits until they have ended", () => {
    const keeping = (one: HeldVersion) => ({ ...one, hasSequences: true });
    expect(next([a, b, c], [keeping(held(a, 1)), held(b, 2)], "c")).to.equal("unload b");
    const world = snapshot([a, b, c], [keeping(held(a, 1)), keeping(held(b, 2))], "c");
    expect([nextAction(world), refusals(world).size, waitsForRoom(world)]).to.deep.equal([undefined, 0, true]);
    expect(next([b, c], [keeping(held(a, 1)), held(b, 2)], "c")).to.equal("unload a");
    const roomy = snapshot([a, b], [keeping(held(a, 1))], "b");
    expect(waitsForRoom(roomy)).to.equal(false);
  });

  it("unloads what is no longer assigned first, though its successor is not ready yet", () => {
    const old = aspiredVersion("m", 1, { memoryBytes: 60 });
    const young = aspiredVersion("m", 2, { memoryBytes: 60 });
    expect(next([young, a], [held(old, 9), held(a, 1)])).to.equal("unload m");
    expect(next([young, a], [held(a, 1)])).to.equal("load m");
  });

  it("lets what has room pass what has none", () => {
    expect(next([pinned("large", 101), pinned("small", 1)], [])).to.equal("load small");
  });

  it("does not try again what has failed where there is no room for it", () => {
    const failed = held(pinned("p", 70), 0, { kind: "failed", reason: "no", retryAtMs: 0 });
    expect(next([pinned("p", 70), pinned("q", 60)], [failed, held(pinned("q", 60))])).to.equal("nothing");
    expect(next([pinned("p", 70)], [failed])).to.equal("retry p");
  });

  it("lets what has failed rest where it is loaded on demand, and tries it again only for requests", () => {
    const failed = held(a, 0, { kind: "failed", reason: "no", retryAtMs: 0 });
    const others = [held(b), held(onDemand("c", 60))];
    expect(next([a, b, c], [failed, ...others])).to.equal("rest a");
    const resting = held(a, 0, { kind: "dormant" });
    expect(next([a, b, c], [resting, held(b)])).to.equal("nothing");
    expect(next([a, b], [resting, held(b)], "a")).to.equal("retry a");
    expect(next([pinned("a", 40), b], [resting, held(b)])).to.equal("retry a");
    expect(next([a, b, c], [resting, held(b, 1), held(c, 2)], "a")).to.equal("unload b");
    const [large, none] = [onDemand("large", 101), held(onDemand("large", 101), 0, { kind: "dormant" })];
    expect(refusals(snapshot([large], [none], "large")).get(large)).to.match(/^it needs 101 bytes/);
  });

  it("goes by what a version is set to now, not by what it was loaded with", () => {
    expect(next([pinned("a", 40), b, c], [held(a, 1), held(b, 2)], "c")).to.equal("unload b");
    expect(next([onDemand("a", 90), b], [held(a)], "b")).to.equal("unload a");
    expect(next([onDemand("a", 10), onDemand("z", 80)], [held(onDemand("a", 90))], "z")).to.equal("load z");
  });

  it("never exceeds the budget, unloads nothing for nothing, and comes to rest with all that has room", () => {
    const version = fc.record({ memoryBytes: fc.integer({ min: 1, max: 120 }), isOnDemand: fc.boolean() });
    fc.assert(
      fc.property(fc.array(version, { maxLength: 7 }), fc.array(fc.nat(6), { maxLength: 12 }), (details, demands) => {
        const aspired = details.map((detail, index) => aspiredVersion("abcdefg"[index], 1, detail));
        let replicas: HeldVersion[] = [];
        let timeMs = 0;
        const bytes = () => replicas.reduce((sum, { aspired: own }) => sum + own.memoryBytes, 0);
        const isReady = (one: AspiredVersion) =>
          replicas.some((replica) => isSameVersion(replica.aspired, one) && replica.state.kind === "ready");
        for (const index of [-1, ...demands]) {
          const demanded = aspired[index];
          const waits = demanded?.isOnDemand ? demanded.model : "";
          let steps = 0;
          for (let isAtRest = false; !isAtRest; steps++) {
            expect(steps).to.be.below(50);
            const action = nextAction(snapshot(aspired, replicas, waits));
            const isChanging = replicas.some(({ state }) => state.kind === "loading" || state.kind === "unloading");
            isAtRest = action === undefined && !isChanging;
            if (action?.kind === "load") replicas.push(held(action.aspired, ++timeMs, { kind: "loading" }));
            else if (action?.kind === "unload") {
              replicas = replicas.map((one) =>
                one === action.replica ? { ...one, state: { kind: "unloading", isLeftBehind: false } } : one,
              );
            } else {
              replicas = replicas
                .filter(({ state }) => state.kind !== "unloading")
                .map((one) => (one.state.kind === "loading" ? { ...one, state: ready } : one));
            }
            expect(bytes()).to.be.at.most(100);
          }
          const refused = refusals(snapshot(aspired, replicas, waits));
          for (const one of aspired) {
            if (!one.isOnDemand || one.model === waits) expect(isReady(one)).to.equal(!refused.has(one));
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
