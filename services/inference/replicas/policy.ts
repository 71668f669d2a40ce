import { type AspiredVersion, contradict, isSameNumber, isSameVersion } from "./aspired-version.ts";
import { type Room, roomFor } from "./memory-plan.ts";
import { type HeldVersion, isLeftBehind, type PolicySnapshot } from "./policy-snapshot.ts";

/** One step towards the aspired versions. */
export type PolicyAction<Held> =
  | { readonly kind: "load"; readonly aspired: AspiredVersion }
  | { readonly kind: "retry"; readonly replica: Held }
  /** It has failed, and is not tried again before a request wants it. */
  | { readonly kind: "rest"; readonly replica: Held }
  | { readonly kind: "unload"; readonly replica: Held };

/**
 * What to do next, if anything: first unload what is no longer wanted, then load what is missing, then try again what
 * failed. A ready version that is no longer aspired stays while an aspired version of its model is not ready, so that a
 * model is never without a version because of an exchange; one that is aspired in another variant, or with other settings,
 * stays until it is ready as that. What is loaded on demand is missing, or tried again, only where requests wait for it. Where
 * memory is short, something goes that may; what has no room lets others pass.
 */
export function nextAction<Held extends HeldVersion>(snapshot: PolicySnapshot<Held>): PolicyAction<Held> | undefined {
  const { aspired, held, loadsMax } = snapshot;
  const surplus = held.find((replica) => isSurplus(replica, snapshot));
  if (surplus !== undefined) return { kind: "unload", replica: surplus };
  const resting = dueAgain(snapshot).find(({ aspired: own }) =>
    aspired.some((one) => one.isOnDemand && isSameVersion(one, own)),
  );
  if (resting !== undefined) return { kind: "rest", replica: resting };
  if (held.filter(({ state }) => state.kind === "loading").length >= loadsMax) return undefined;
  for (const step of loadSteps(snapshot)) {
    const room = roomOf(step, snapshot);
    if (room.kind === "free") return step;
    if (room.kind === "short" && room.victims.length > 0) return { kind: "unload", replica: room.victims[0] };
  }
  return undefined;
}

/** Whether something would be loaded if there were room for it, and there will be. */
export function waitsForRoom(snapshot: PolicySnapshot<HeldVersion>): boolean {
  return loadSteps(snapshot).some((step) => roomOf(step, snapshot).kind === "short");
}

type LoadStep<Held> = Extract<PolicyAction<Held>, { readonly kind: "load" | "retry" }>;

/** In the order in which they should be done. */
function loadSteps<Held extends HeldVersion>(snapshot: PolicySnapshot<Held>): readonly LoadStep<Held>[] {
  const missing = missingVersions(snapshot).map((version): LoadStep<Held> => {
    const replica = snapshot.held.find((one) => !isLeftBehind(one) && isSameVersion(one.aspired, version));
    return replica === undefined ? { kind: "load", aspired: version } : { kind: "retry", replica };
  });
  return [...missing, ...dueAgain(snapshot).map((replica): LoadStep<Held> => ({ kind: "retry", replica }))];
}

function dueAgain<Held extends HeldVersion>({ held, nowMs }: PolicySnapshot<Held>): readonly Held[] {
  return held.filter(({ state }) => state.kind === "failed" && state.retryAtMs <= nowMs);
}

function roomOf<Held extends HeldVersion>(step: LoadStep<Held>, snapshot: PolicySnapshot<Held>): Room<Held> {
  return roomFor(step.kind === "load" ? step.aspired : step.replica.aspired, snapshot);
}

/** Why versions that should be loaded are not: there is no room for them. */
export function refusals<Held extends HeldVersion>(
  snapshot: PolicySnapshot<Held>,
): ReadonlyMap<AspiredVersion, string> {
  return new Map(
    missingVersions(snapshot).flatMap((version) => {
      const room = roomFor(version, snapshot);
      return room.kind === "refused" ? [[version, room.reason] as const] : [];
    }),
  );
}

/** What should be loaded and is not held, or only rests, in the order of the assignment. */
function missingVersions({ aspired, held, isDemanded }: PolicySnapshot<HeldVersion>): readonly AspiredVersion[] {
  const isWanted = (version: AspiredVersion) => !version.isOnDemand || isDemanded(version);
  const awake = held.filter((one) => one.state.kind !== "dormant" && !isLeftBehind(one));
  return aspired.filter((version) => isWanted(version) && !awake.some((one) => isInPlace(one.aspired, version)));
}

/**
 * When the policy should be asked again though nothing has changed, in milliseconds since 1970; Infinity if never. What may be tried
 * already and is not waits for a load to end or for room, which are changes.
 */
export function nextRetryMs(held: readonly HeldVersion[], nowMs: number): number {
  const retriesMs = held.map(({ state }) => (state.kind === "failed" ? state.retryAtMs : Infinity));
  return Math.min(...retriesMs.filter((atMs) => atMs > nowMs));
}

function isSurplus({ aspired: own, state }: HeldVersion, { aspired, held }: PolicySnapshot<HeldVersion>): boolean {
  if (state.kind === "unloading") return false;
  if (aspired.some((version) => isSameVersion(version, own))) return false;
  if (state.kind !== "ready" || aspired.some((version) => contradict(version, own))) return true;
  const isReady = (version: AspiredVersion) =>
    version.isOnDemand || held.some((other) => isSameVersion(other.aspired, version) && other.state.kind === "ready");
  const again = aspired.find((version) => isSameNumber(version, own));
  if (again !== undefined) return isReady(again);
  return aspired.filter(({ model }) => model === own.model).every(isReady);
}

/** Whether a held version is the wanted one, or has to be gone before that is loaded. */
function isInPlace(held: AspiredVersion, wanted: AspiredVersion): boolean {
  return isSameVersion(held, wanted) || contradict(held, wanted);
}
