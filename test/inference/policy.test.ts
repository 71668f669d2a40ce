import { expect } from "chai";
import fc from "fast-check";
import type { AspiredVersion } from "../../services/inference/replicas/aspired-version.ts";
import { nextAction, nextRetryMs } from "../../services/inference/replicas/policy.ts";
import type { HeldVersion } from "../../services/inference/replicas/policy-snapshot.ts";
import type { ReplicaState } from "../../services/inference/replicas/replica.ts";
import { aspiredVersion } from "./aspired.ts";

const version = (model: string, number: number, details: Parameters<typeof aspiredVersion>[2] = {}) =>
  aspiredVersion(model, number, details);
const ready: ReplicaState = { kind: "ready", signature: { inputs: [], outputs: [] } };
const loading: ReplicaState = { kind: "loading" };
const unloading: ReplicaState = { kind: "unloading", isLeftBehind: false };
const failed = (retryAtMs: number): ReplicaState => ({ kind: "failed", reason: "no", retryAtMs });
const held = (aspired: AspiredVersion, state: ReplicaState): HeldVersion => ({
  aspired,
  state,
  lastUsedMs: 0,
  hasSequences: false,
});
const unbounded = { budgetBytes: Infinity, isDemanded: () => false };
const next = (aspired: AspiredVersion[], replicas: HeldVersion[], limits: { nowMs?: number; loadsMax?: number } = {}) =>
  nextAction({ nowMs: 0, loadsMax: 2, ...unbounded, ...limits, aspired, held: replicas });

/** Sessions that only some versions have. */
const pair = { executionProvider: "", count: 2, intraOpThreads: 1 };

describe("the policy of a node", () => {
  it("does nothing where everything is as it should be", () => {
    expect(next([version("a", 1)], [held(version("a", 1), ready)])).to.equal(undefined);
    expect(next([], [])).to.equal(undefined);
  });

  it("loads what is missing in the order of the assignment", () => {
    const aspired = [version("b", 1), version("a", 1)];
    expect(next(aspired, [])).to.deep.equal({ kind: "load", aspired: aspired[0] });
    expect(next(aspired, [held(aspired[0], loading)])).to.deep.equal({ kind: "load", aspired: aspired[1] });
  });

  it("loads a version again of which only threads are left that do not come back", () => {
    const aspired = [version("a", 1)];
    expect(next(aspired, [held(aspired[0], unloading)])).to.equal(undefined);
    const left = held(aspired[0], { kind: "unloading", isLeftBehind: true });
    expect(next(aspired, [left])).to.deep.equal({ kind: "load", aspired: aspired[0] });
    expect(next(aspired, [left, held(aspired[0], loading)])).to.equal(undefined);
    expect(next([], [left])).to.equal(undefined);
  });

  it("loads at most so many versions at the same time", () => {
    const aspired = [version("a", 1), version("b", 1), version("c", 1)];
    const replicas = [held(aspired[0], loading), held(aspired[1], loading)];
    expect(next(aspired, replicas)).to.equal(undefined);
    expect(next(aspired, replicas, { loadsMax: 3 })).to.deep.equal({ kind: "load", aspired: aspired[2] });
  });

  it("unloads a version of a model that is no longer assigned at all", () => {
    const replica = held(version("a", 1), ready);
    expect(next([], [replica])).to.deep.equal({ kind: "unload", replica });
  });

  it("keeps a ready version until every assigned version of its model is ready", () => {
    const old = held(version("a", 1), ready);
    const aspired = [version("a", 2)];
    expect(next(aspired, [old])).to.deep.equal({ kind: "load", aspired: aspired[0] });
    expect(next(aspired, [old, held(aspired[0], loading)])).to.equal(undefined);
    expect(next(aspired, [old, held(aspired[0], failed(9))])).to.equal(undefined);
    expect(next(aspired, [old, held(aspired[0], ready)])).to.deep.equal({ kind: "unload", replica: old });
  });

  it("unloads at once what is no longer assigned and cannot serve anyway", () => {
    for (const state of [loading, failed(0)]) {
      const replica = held(version("a", 1), state);
      expect(next([version("a", 2)], [replica])).to.deep.equal({ kind: "unload", replica });
    }
  });

  it("unloads a version whose variant now has other bytes, and loads these once it is gone", () => {
    const replica = held(version("a", 1, { sha256: "old" }), ready);
    const aspired = [version("a", 1, { sha256: "new" })];
    expect(next(aspired, [replica])).to.deep.equal({ kind: "unload", replica });
    expect(next(aspired, [{ ...replica, state: unloading }])).to.equal(undefined);
    expect(next(aspired, [])).to.deep.equal({ kind: "load", aspired: aspired[0] });
  });

  for (const [what, change] of [
    ["in another variant", { variant: "int8", sha256: "smaller" }],
    ["with other settings", { instanceGroups: [pair] }],
  ] as const) {
    it(`loads a version that is wanted ${what} beside the old one, which stays until the new one is ready`, () => {
      const old = held(version("a", 1), ready);
      const aspired = [version("a", 1, change), version("a", 2)];
      expect(next(aspired, [old])).to.deep.equal({ kind: "load", aspired: aspired[0] });
      const loadingBoth = [old, held(aspired[0], loading), held(aspired[1], loading)];
      expect(next(aspired, loadingBoth)).to.equal(undefined);
      expect(next(aspired, [old, held(aspired[0], failed(9)), held(aspired[1], ready)])).to.equal(undefined);
      const replaced = [old, held(aspired[0], ready), held(aspired[1], loading)];
      expect(next(aspired, replaced)).to.deep.equal({ kind: "unload", replica: old });
      const gone = held(old.aspired, unloading);
      expect(next(aspired, [gone, ...replaced.slice(1)])).to.equal(undefined);
    });
  }

  it("tries a failed version again when its time has come, after what was never tried", () => {
    const aspired = [version("a", 1), version("b", 1)];
    const replica = held(aspired[0], failed(10));
    expect(next(aspired, [replica], { nowMs: 10 })).to.deep.equal({ kind: "load", aspired: aspired[1] });
    const both = [replica, held(aspired[1], ready)];
    expect(next(aspired, both, { nowMs: 9 })).to.equal(undefined);
    expect(next(aspired, both, { nowMs: 10 })).to.deep.equal({ kind: "retry", replica });
    expect(nextRetryMs(both, 9)).to.equal(10);
    expect(nextRetryMs([], 9)).to.equal(Infinity);
  });

  it("is not asked again by time for what may be tried already and has to wait for something else", () => {
    const [due, later] = [held(version("a", 1), failed(10)), held(version("b", 1), failed(30))];
    expect(nextRetryMs([due], 10)).to.equal(Infinity);
    expect(nextRetryMs([due, later], 20)).to.equal(30);
  });

  it("comes to rest with exactly the assigned versions, from anywhere, when every load succeeds", () => {
    const versions = fc.uniqueArray(
      fc.record({
        model: fc.constantFrom("a", "b"),
        number: fc.integer({ min: 1, max: 4 }),
        instanceGroups: fc.constantFrom([], [pair]),
      }),
      {
        selector: ({ model, number }) => `${model}${number}`,
      },
    );
    const states = fc.constantFrom(ready, loading, unloading, failed(0));
    fc.assert(
      fc.property(versions, versions, fc.array(states, { minLength: 8, maxLength: 8 }), (wanted, found, drawn) => {
        const aspired = wanted.map(({ model, number, ...details }) => version(model, number, details));
        let replicas = found.map(({ model, number, ...details }, index) =>
          held(version(model, number, details), drawn[index]),
        );
        for (let turn = 0; turn < 50; turn++) {
          const action = nextAction({ nowMs: 0, loadsMax: 2, ...unbounded, aspired, held: replicas });
          if (action?.kind === "load") replicas.push(held(action.aspired, loading));
          else if (action !== undefined) {
            const state = action.kind === "retry" ? loading : unloading;
            replicas = replicas.map((replica) => (replica === action.replica ? { ...replica, state } : replica));
          } else {
            replicas = replicas
              .filter(({ state }) => state.kind !== "unloading")
              .map((replica) => (replica.state.kind === "loading" ? { ...replica, state: ready } : replica));
          }
        }
        const names = (list: readonly AspiredVersion[]) => list.map((entry) => JSON.stringify(entry)).sort();
        expect(names(replicas.map((replica) => replica.aspired))).to.deep.equal(names(aspired));
        expect(replicas.every(({ state }) => state.kind === "ready")).to.equal(true);
      }),
    );
  });
});
