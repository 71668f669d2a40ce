import type { Initializer__Output } from "../../../lib/gen/amaas/trainer/v1/Initializer.ts";
import type { Layer__Output } from "../../../lib/gen/amaas/trainer/v1/Layer.ts";
import type { TrainSpec__Output } from "../../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import type { ImportedSpec } from "../graph/imported/imported-model.ts";
import type { Initializer } from "../graph/initializers/initializer.ts";
import { type Layer, layerKinds } from "../graph/layers/layer.ts";
import { type NetworkSpec, presetKinds } from "../graph/network-spec.ts";
import { specError } from "../graph/spec-error.ts";
import { snakeCase } from "./snake-case.ts";

/** The files of the version that a job begins with, and its new head. */
export type InitialModel = Omit<ImportedSpec, "kind" | "head">;

/**
 * The network that a job describes; `initial` are the files of its initial version, where it has one. Messages of the contract have the
 * fields of the types here, and the kinds in their oneofs are those of the types in another spelling. Throws SPEC_INVALID where it is
 * said twice, or a kind is not said.
 */
export function networkSpecOf(spec: TrainSpec__Output, initial: InitialModel | undefined): NetworkSpec {
  const { layers, inputShape = [], preset, head } = spec;
  if (initial !== undefined) {
    checkAlone(spec);
    return { kind: "imported", ...initial, ...(head && { head }) };
  }
  if (head) throw specError("head", "set", "none without an initial_version");
  if (preset === null || preset === undefined) {
    return { kind: "layers", inputShape, layers: layers.map((layer, index) => layerOf(layer, `layers[${index}]`)) };
  }
  if (layers.length > 0) throw specError("layers", `a list of ${layers.length}`, "none beside a preset");
  if (inputShape.length > 0) throw specError("input_shape", `[${inputShape.join(", ")}]`, "none beside a preset");
  if (preset.kind === undefined) throw specError("preset", "of no kind", `one of ${presetKinds.join(", ")}`);
  return { kind: snakeCase(preset.kind), ...setFields(preset[preset.kind]!) } as NetworkSpec;
}

/** An initial version is all of the network. */
function checkAlone({ layers, inputShape = [], preset }: TrainSpec__Output): void {
  const fields = { layers: layers.length > 0, input_shape: inputShape.length > 0, preset: Boolean(preset) };
  for (const [field, isSet] of Object.entries(fields)) {
    if (isSet) throw specError(field, "set", "none beside an initial_version");
  }
}

function layerOf(layer: Layer__Output, field: string): Layer {
  if (layer.kind === undefined) throw specError(field, "of no kind", `one of ${layerKinds.join(", ")}`);
  const parts = Object.entries(setFields(layer[layer.kind]!)).map(([name, value]) => {
    if (name === "layers" || name === "shortcut") {
      const list = value as readonly Layer__Output[];
      return [name, list.map((part, index) => layerOf(part, `${field}.${name}[${index}]`))];
    }
    const isInitializer = name === "initialWeight" || name === "initialBias";
    return [name, isInitializer ? initializerOf(value as Initializer__Output, `${field}.${snakeCase(name)}`) : value];
  });
  return { kind: snakeCase(layer.kind), ...Object.fromEntries(parts) } as Layer;
}

function initializerOf(initializer: Initializer__Output, field: string): Initializer {
  const { kind } = initializer;
  if (kind === undefined) throw specError(field, "of no kind", "an initializer, such as zeros");
  return { kind: snakeCase(kind), ...setFields(initializer[kind]!) } as Initializer;
}

/** The fields of a message that are set: none of those that say which optional ones are, no empty texts, and no input size of 0. */
function setFields(message: object): Readonly<Record<string, unknown>> {
  const isSet = ([name, value]: readonly [string, unknown]) =>
    !name.startsWith("_") && value !== null && value !== "" && !(name === "inputSize" && value === 0);
  return Object.fromEntries(Object.entries(message).filter(isSet));
}
