import fc from "fast-check";
import type { State } from "./state.ts";

/** One call, its request with marks in place of what only the run knows: "@" in ids, "#" artifacts, and etags. */
export interface Step {
  readonly method: string;
  readonly request: object;
}

/** Artifacts by the word that stands for them in steps. */
export type ArtifactWords = Readonly<Record<string, string>>;

const often = fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) });
const seldom = often.map((yes) => !yes);
const model = often.map((yes) => (yes ? "models/@a" : "models/@b"));
const versionNumber = fc.integer({ min: 1, max: 4 });
const version = fc.tuple(model, versionNumber).map(([name, number]) => `${name}/versions/${number}`);
const aliasId = often.map((yes) => (yes ? "default" : "canary"));
const alias = fc.tuple(model, aliasId).map(([name, id]) => `${name}/aliases/${id}`);
const etag = fc.constantFrom("", "", "current", "current", "stale");
const artifact = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("#one", "#two", "#other") },
  { weight: 1, arbitrary: fc.constantFrom("#broken", "#missing") },
);
const tags = fc.constantFrom({}, { task: "vision" }, { task: "text", size: "s" });
const compatibility = fc
  .constantFrom("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FULL", "FULL_TRANSITIVE")
  .map((mode) => `COMPATIBILITY_MODE_${mode}`);
const reason = fc.constantFrom("", "because");
const fields = { owner: fc.constantFrom("", "alice", "bob"), tags, compatibility };
const unique = { selector: ({ version: number }: { version: number }) => number };
const targets = fc.uniqueArray(fc.record({ version: versionNumber, weight: fc.integer({ min: 1, max: 3 }) }), {
  ...unique,
  minLength: 1,
  maxLength: 2,
});
const mirrors = fc.uniqueArray(fc.record({ version: versionNumber, share: fc.constantFrom(0.5, 1) }), {
  ...unique,
  maxLength: 1,
});
const settingsName = model.map((name) => `${name}/servingSettings`);
const replicas = fc.integer({ min: 0, max: 2 });
const versionPolicy = fc.option(fc.record({ specific: fc.record({ versions: fc.tuple(versionNumber) }) }));
const held = fc.oneof(version, artifact);
const holder = fc.constantFrom("jobs/@1", "jobs/@2");

/** How often each call is made, and with which requests. */
const calls: readonly (readonly [weight: number, method: string, request: fc.Arbitrary<object>])[] = [
  [1, "CreateModel", fc.record({ modelId: fc.constantFrom("@a", "@b"), model: fc.record(fields) })],
  [1, "GetModel", fc.record({ name: model })],
  [1, "ListModels", fc.record({ idPrefix: fc.constant("@"), showDeleted: fc.boolean() })],
  [
    3,
    "UpdateModel",
    fc.record({
      model: fc.record({ name: model, etag, ...fields }),
      updateMask: fc.record({ paths: fc.subarray(["owner", "tags", "compatibility"], { minLength: 1 }) }),
    }),
  ],
  [1, "DeleteModel", fc.record({ name: model, etag, force: fc.boolean() })],
  [3, "UndeleteModel", fc.record({ name: model })],
  [
    12,
    "CreateVersion",
    fc.record({
      parent: model,
      version: fc.record({ variants: artifact.map((name) => [{ artifact: name }]), tags }),
      requestId: fc.oneof(
        { weight: 3, arbitrary: fc.constant("") },
        { weight: 1, arbitrary: fc.constantFrom("x", "y") },
      ),
      allowMissingModel: often,
      allowMissingArtifacts: often,
    }),
  ],
  [
    1,
    "GetVersion",
    fc.record({
      name: fc.oneof(
        version,
        alias.map((name) => name.replace("aliases", "versions")),
      ),
    }),
  ],
  [
    1,
    "ListVersions",
    fc.record({ parent: model, states: fc.constantFrom([], ["VERSION_STATE_READY"], ["VERSION_STATE_DELETED"]) }),
  ],
  [2, "UpdateVersion", fc.record({ name: version, tags, etag })],
  [4, "DeprecateVersion", fc.record({ name: version, reason, etag })],
  [5, "DeleteVersion", fc.record({ name: version, reason, etag })],
  [1, "GetAlias", fc.record({ name: alias })],
  [1, "ListAliases", fc.record({ parent: model })],
  [1, "ResolveAlias", fc.record({ name: alias })],
  [1, "ListAliasRevisions", fc.record({ name: alias })],
  [
    12,
    "UpdateAlias",
    fc.record({
      alias: fc.record({ name: alias, etag, targets, mirrors }),
      allowMissing: often,
      mustNotExist: seldom,
      reason,
      force: seldom,
    }),
  ],
  [
    4,
    "RollbackAlias",
    fc.record({ name: alias, etag, revision: fc.integer({ min: 0, max: 4 }), reason, force: seldom }),
  ],
  [2, "DeleteAlias", fc.record({ name: alias, etag, reason })],
  [1, "GetServingSettings", fc.record({ name: settingsName })],
  [1, "ListServingSettingsRevisions", fc.record({ name: settingsName })],
  [
    4,
    "UpdateServingSettings",
    fc.record({ settings: fc.record({ name: settingsName, etag, replicas, versionPolicy }), reason }),
  ],
  [
    2,
    "RollbackServingSettings",
    fc.record({ name: settingsName, etag, revision: fc.integer({ min: 0, max: 3 }), reason }),
  ],
  [3, "HoldResource", fc.record({ resource: held, holder, duration: fc.constant({ seconds: 3600 }) })],
  [2, "ReleaseHold", fc.record({ resource: held, holder })],
  [1, "ListHolds", fc.record({ resource: held })],
];

/** Most sequences begin with some versions, so that what follows has something to work on. */
const beginning: readonly Step[] = ["#one", "#two", "#other"].map((name) => {
  const version = { variants: [{ artifact: name }], tags: {} };
  const request = {
    parent: "models/@a",
    version,
    requestId: "",
    allowMissingModel: true,
    allowMissingArtifacts: false,
  };
  return { method: "CreateVersion", request };
});

const anySteps = fc.array(
  fc.oneof(
    ...calls.map(([weight, method, request]) => ({
      weight,
      arbitrary: request.map((made): Step => ({ method, request: made })),
    })),
  ),
  { minLength: 1, maxLength: 60, size: "max" },
);

/** Sequences of calls. */
export const steps: fc.Arbitrary<readonly Step[]> = fc
  .tuple(often, anySteps)
  .map(([isBegun, rest]) => (isBegun ? [...beginning, ...rest] : rest));

/** The request of a step as the registry is to get it in a run. */
export function requestOf({ request }: Step, run: string, artifacts: ArtifactWords, state: State): object {
  const marked = JSON.stringify(request)
    .replaceAll("@", `${run}-`)
    .replaceAll(/#(\w+)/g, (_, word) => artifacts[word]!);
  return JSON.parse(marked, (_, value) => {
    if (value?.etag !== "current") return value;
    return { ...value, etag: state.etags.get(value.name) ?? "" };
  });
}
