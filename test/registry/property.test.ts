import { expect } from "chai";
import fc from "fast-check";
import type { Change__Output } from "../../lib/gen/amaas/registry/v1/Change.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { describeOnEachStore } from "./each-store.ts";
import { type ArtifactFate, callsInMemory, namesIn } from "./in-memory/catalogue.ts";
import { answerOf, entriesOf } from "./in-memory/replies.ts";
import { Refusal, State } from "./in-memory/state.ts";
import { type ArtifactWords, requestOf, type Step, steps } from "./in-memory/steps.ts";
import { addingModel, linearModel } from "./onnx-files.ts";
import { noArtifact, type RunningRegistry, upload } from "./running-registry.ts";

const runCount = 15;

type Outcome = { readonly shown: unknown } | { readonly reason: string; readonly etag: string | undefined };

describeOnEachStore("the catalogue after any calls", (own) => {
  let artifacts: ArtifactWords;
  let fates: ReadonlyMap<string, ArtifactFate>;
  let runs = 0;

  beforeEach(async () => {
    const { registry } = own.running;
    artifacts = {
      one: await upload(registry, addingModel(1)),
      two: await upload(registry, addingModel(2)),
      other: await upload(registry, linearModel()),
      broken: await upload(registry, Buffer.from("not a model")),
      missing: noArtifact,
    };
    fates = new Map<string, ArtifactFate>([
      [artifacts.one!, { state: "READY", signature: "adding" }],
      [artifacts.two!, { state: "READY", signature: "adding" }],
      [artifacts.other!, { state: "READY", signature: "linear" }],
      [artifacts.broken!, { state: "REJECTED", signature: undefined }],
      [artifacts.missing!, { state: "UPLOADING", signature: undefined }],
    ]);
  });

  it("is what the contract says, answers included, and what its log says", async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const [state, run] = [new State(), `r${runs++}`];
        try {
          for (const step of sequence) await expectSame(step, run, state);
          await expectEtags(own.running, state);
          await expectLogged(own.running, state);
        } finally {
          // Other runs use the same artifacts.
          for (const hold of state.holds.values()) await own.running.registry.unary("ReleaseHold", hold);
        }
      }),
      { numRuns: runCount },
    );
    const { changes } = await own.running.registry.unary("ListChanges", { pageSize: 1 });
    const all = await entriesOf(own.running.registry, "ListChanges", {}, "changes");
    expect(all).to.have.length(changes[0]!.sequence);
  });

  /** Makes a call on the registry and in memory. */
  async function expectSame(step: Step, run: string, state: State): Promise<void> {
    const request = requestOf(step, run, artifacts, state);
    const expected = inMemory(step.method, request, state);
    const seen = await ofRegistry(step.method, request, state);
    expect(seen, `${step.method} ${JSON.stringify(request)}`).to.deep.equal(expected);
    // A version may make its model, and is there also where the call that made it fails.
    for (const name of namesIn(state).filter((made) => !state.etags.has(made))) {
      state.etags.set(name, (await resourceOf(own.running.registry, name)).etag);
    }
  }

  function inMemory(method: string, request: object, state: State): Outcome {
    const calls = callsInMemory(state, fates) as Record<string, (request: never) => unknown>;
    try {
      return { shown: structuredClone(calls[method]!(request as never)) };
    } catch (failure) {
      if (!(failure instanceof Refusal)) throw failure;
      return { reason: failure.reason, etag: failure.etag };
    }
  }

  async function ofRegistry(method: string, request: object, state: State): Promise<Outcome> {
    const { registry } = own.running;
    try {
      const { shown, name, etag } = await answerOf(registry, method, request);
      if (name && etag && etag !== "unset") state.etags.set(name, etag);
      return { shown };
    } catch (failure) {
      const { reason = String(failure), metadata } = remoteFaultOf(failure);
      return { reason, etag: metadata.etag };
    }
  }
});

/** Everything has the etag that its last change gave it. */
async function expectEtags({ registry }: RunningRegistry, state: State): Promise<void> {
  const names = namesIn(state);
  const etags = await Promise.all(names.map(async (name) => [name, (await resourceOf(registry, name)).etag] as const));
  expect(new Map(etags)).to.deep.equal(new Map(names.map((name) => [name, state.etags.get(name)])));
}

/** The log, read from its beginning on, adds up to what there is; and what is before a change is what the one before left. */
async function expectLogged({ registry }: RunningRegistry, state: State): Promise<void> {
  for (const id of state.models.keys()) {
    const resource = `models/${id}`;
    const changes = (await entriesOf(registry, "ListChanges", { resource }, "changes")) as Change__Output[];
    const last = new Map<string, Change__Output["after"]>();
    for (const { kind, resource: name, before, after } of changes.reverse()) {
      const key = kind === "RESOURCE_KIND_HOLD" ? `${name} held by ${(before ?? after)?.hold?.holder}` : name;
      expect(before, key).to.deep.equal(last.get(key) ?? null);
      if (after === null) last.delete(key);
      else last.set(key, after);
    }
    const names = namesIn(state).filter((name) => name === resource || name.startsWith(`${resource}/`));
    const holds = [...state.holds.values()].filter((hold) => hold.resource.startsWith(`${resource}/`));
    const held = holds.map((hold) => `${hold.resource} held by ${hold.holder}`);
    expect([...last.keys()]).to.have.members([...names, ...held]);
    for (const name of names) {
      const { kind, ...logged } = last.get(name)!;
      expect(Object.values(logged), name).to.deep.equal([await resourceOf(registry, name)]);
    }
  }
}

const readBy = { versions: "GetVersion", aliases: "GetAlias", servingSettings: "GetServingSettings" } as const;

function resourceOf(registry: RunningRegistry["registry"], name: string) {
  const method = readBy[name.split("/")[2] as keyof typeof readBy] ?? "GetModel";
  return registry.unary(method as "GetModel", { name });
}
