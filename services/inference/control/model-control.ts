import { ServiceError } from "../../../lib/errors.ts";
import { versionNumber } from "../../../lib/resource-names.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import { type AspiredVersion, filesOf } from "../replicas/aspired-version.ts";
import type { ReplicaState } from "../replicas/replica.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { quoted, quotedList } from "../tensors/tensor-fault.ts";
import { type Assignment, aspiredVersions } from "./assignment.ts";
import { chosenAssignment, type ModelChoice, type SettingsChanges } from "./model-choices.ts";

/** Who says what a node holds: the registry alone, or clients too, of what the registry assigns. */
export const controlModes = ["registry", "explicit"] as const;
export type ControlMode = (typeof controlModes)[number];

/** What model control is made of. */
export interface ModelControlOptions {
  readonly mode: ControlMode;
  /** The models that are loaded without being asked for where the mode is explicit; "*" for all. */
  readonly loadedAtStart: readonly string[];
  readonly replicas: Pick<ReplicaSet, "aspire" | "stateFor">;
}

/** What a call that waits for a load knows of its caller. */
export type LoadLimits = Pick<CallContext, "signal">;

/** Decides what of the assigned models is held, by the mode and what clients ask for. */
export class ModelControl {
  readonly #options: ModelControlOptions;
  readonly #choices = new Map<string, ModelChoice>();
  readonly #waiting = new Set<() => void>();
  #assignment: Assignment | undefined;
  #assigned: readonly AspiredVersion[] = [];
  #chosen: readonly AspiredVersion[] = [];

  constructor(options: ModelControlOptions) {
    this.#options = options;
  }

  /** All versions that could be held. */
  get assigned(): readonly AspiredVersion[] {
    return this.#assigned;
  }

  /** The digests of the artifacts that loads may need. */
  get neededArtifacts(): readonly string[] {
    return this.#assigned.flatMap(({ content }) => filesOf(content)).map(({ sha256 }) => sha256);
  }

  /** Whether a version, by its number, an alias or the default, could be held. */
  isAssigned(model: string, reference: string): boolean {
    const versions = this.#assigned.filter((version) => version.model === model);
    const number = versionNumber(reference);
    if (number !== undefined) return versions.some(({ version }) => version === number);
    if (reference !== "") return versions.some(({ aliases }) => aliases.includes(reference));
    return versions.length > 0;
  }

  /** Takes what the registry assigns. Throws where it cannot be read, and then changes nothing. */
  follow(assignment: Assignment): void {
    const assigned = this.#versionsOf(assignment);
    this.#assignment = assignment;
    this.#assigned = assigned;
    this.#aspire();
  }

  /** What is to be done with a model. */
  choiceOf(model: string): ModelChoice {
    const { mode, loadedAtStart } = this.#options;
    const chosen = this.#choices.get(model);
    if (chosen !== undefined) return chosen;
    const isLoaded = mode === "registry" || loadedAtStart.includes("*") || loadedAtStart.includes(model);
    return isLoaded ? { kind: "loaded", changes: {} } : { kind: "unloaded", reason: "not loaded" };
  }

  /**
   * Loads a model, with its settings changed; settles when all its versions are ready. What is loaded in the same way stays as
   * it is, what is loaded in another way serves until its successor is ready.
   *
   * Rejects with CONTROL_DISABLED, MODEL_NOT_FOUND, LOAD_FAILED with the reason, CONTENTION where another call changes it
   * meanwhile, what the signal is aborted with, and what `check` throws, which is called once it is loaded. After a failure what was
   * loaded before is loaded as it was.
   */
  async load(
    model: string,
    changes: SettingsChanges,
    { signal }: LoadLimits,
    check: () => void = () => undefined,
  ): Promise<void> {
    this.#checkAllowed();
    this.#checkAssigned("load", model);
    const choice: ModelChoice = { kind: "loaded", changes };
    if (this.#aspiredBy((other) => (other === model ? choice : nothing)).length === 0) {
      throw loadFailed(model, "none of its versions is one of the version policy");
    }
    const before = this.choiceOf(model);
    const wasServing = this.#states(model).includes("ready");
    // What has failed is tried again.
    if (this.#states(model).includes("failed")) this.#choose(model, { kind: "unloaded", reason: "it is loaded again" });
    this.#choose(model, choice);
    const failure = await this.#failure(model, choice, signal);
    const fault = failure === undefined ? faultOf(check) : loadFailed(model, failure);
    if (fault === undefined) return;
    if (this.choiceOf(model) === choice) {
      this.#choose(model, wasServing ? before : { kind: "unloaded", reason: fault.message });
    }
    throw fault;
  }

  /** Unloads a model; it takes no more requests from here on. Throws CONTROL_DISABLED and MODEL_NOT_FOUND. */
  unload(model: string): void {
    this.#checkAllowed();
    this.#checkAssigned("unload", model);
    this.#choose(model, { kind: "unloaded", reason: "unloaded" });
  }

  /** Says that replicas have changed. */
  noteChange(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #checkAllowed(): void {
    if (this.#options.mode === "explicit") return;
    // The first words are Triton's, which clients look for.
    const message =
      "explicit model load / unload is not allowed: the registry says what this node holds; " +
      "AMAAS_INFERENCE_MODEL_CONTROL=explicit allows it";
    throw new ServiceError("CONTROL_DISABLED", message);
  }

  #checkAssigned(verb: string, model: string): void {
    const models = [...new Set(this.#assigned.map((version) => version.model))];
    if (models.includes(model)) return;
    const message = `failed to ${verb} ${quoted(model)}: it is not assigned to this node; models: ${quotedList(models)}`;
    throw new ServiceError("MODEL_NOT_FOUND", message);
  }

  #choose(model: string, choice: ModelChoice): void {
    this.#choices.set(model, choice);
    this.#aspire();
  }

  #aspire(): void {
    this.#forgetSurplus();
    this.#chosen = this.#aspiredBy((model) => this.choiceOf(model));
    this.#options.replicas.aspire(this.#chosen);
  }

  #aspiredBy(choiceOf: (model: string) => ModelChoice): readonly AspiredVersion[] {
    return this.#assignment === undefined ? [] : this.#versionsOf(chosenAssignment(this.#assignment, choiceOf));
  }

  /** What clients load and unload themselves is not loaded by its first request too. */
  #versionsOf(assignment: Assignment): readonly AspiredVersion[] {
    const versions = aspiredVersions(assignment);
    return this.#options.mode === "explicit" ? versions.map((one) => ({ ...one, isOnDemand: false })) : versions;
  }

  /** Models come and go: what was chosen for one that is gone is kept only while there are few of them. */
  #forgetSurplus(): void {
    if (this.#choices.size <= choicesMax) return;
    const models = new Set(this.#assigned.map(({ model }) => model));
    for (const model of this.#choices.keys()) if (!models.has(model)) this.#choices.delete(model);
  }

  #states(model: string): (ReplicaState["kind"] | undefined)[] {
    return this.#wanted(model).map((version) => this.#options.replicas.stateFor(version)?.kind);
  }

  #wanted(model: string): readonly AspiredVersion[] {
    return this.#chosen.filter((version) => version.model === model);
  }

  /** Settles when a model is loaded as it was chosen to be, with undefined; or when that has failed, with why. */
  async #failure(model: string, choice: ModelChoice, signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (this.choiceOf(model) !== choice) {
        throw new ServiceError("CONTENTION", `another call loads or unloads ${quoted(model)} at the same time`);
      }
      const wanted = this.#wanted(model);
      if (wanted.length === 0) return "it is no longer assigned to this node";
      const states = wanted.map((version) => this.#options.replicas.stateFor(version));
      const failedIndex = states.findIndex((state) => state?.kind === "failed");
      const failed = states[failedIndex];
      if (failed?.kind === "failed") return `version ${wanted[failedIndex].version}: ${failed.reason}`;
      if (states.every((state) => state?.kind === "ready")) return undefined;
      await this.#changed(signal);
    }
  }

  #changed(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= waitingMax) {
      const message = `${this.#waiting.size} calls wait for loads already, the limit; retry later`;
      throw new ServiceError("QUEUE_FULL", message, { retryDelayMs: 1000 });
    }
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#waiting.delete(wake);
        resolve();
      };
      signal.addEventListener("abort", wake, { once: true });
      this.#waiting.add(wake);
    });
  }
}

const nothing: ModelChoice = { kind: "unloaded", reason: "" };

function faultOf(check: () => void): ServiceError | undefined {
  try {
    check();
    return undefined;
  } catch (fault) {
    if (fault instanceof ServiceError) return fault;
    throw fault;
  }
}

function loadFailed(model: string, why: string): ServiceError {
  return new ServiceError("LOAD_FAILED", `failed to load ${quoted(model)}: ${why}`, { metadata: { model } });
}

const choicesMax = 10_000;
const waitingMax = 1000;
