import type { ModelProto, TensorProto, ValueInfoProto } from "./model.ts";

/**
 * The initializers that stand for inputs which a request leaves out. In files of older IR versions
 * every initializer had to be listed among the inputs, so it tells nothing there.
 */
export function defaultsOf({ irVersion = 0, graph }: ModelProto): readonly TensorProto[] {
  const version = typeof irVersion === "number" ? irVersion : irVersion.high * 2 ** 32 + irVersion.low;
  if (version < irVersionOfDefaults) return [];
  const inputs = new Set(graph?.input?.map(({ name }) => name));
  return (graph?.initializer ?? []).filter(({ name }) => inputs.has(name));
}

/** The same model without its defaults: every input has to be given. */
export function withoutDefaults(model: ModelProto): ModelProto {
  const defaults = new Set(defaultsOf(model));
  const initializer = model.graph?.initializer?.filter((tensor) => !defaults.has(tensor));
  return { ...model, graph: { ...model.graph, initializer } };
}

/** A model without inputs whose outputs are the defaults of another one, each under the name of its input. */
export function defaultsModel(model: ModelProto): ModelProto {
  const initializer = defaultsOf(model);
  const names = new Set(initializer.map(({ name }) => name));
  const output: readonly ValueInfoProto[] = model.graph?.input?.filter(({ name }) => names.has(name)) ?? [];
  const { irVersion, opsetImport } = model;
  return { irVersion, opsetImport, graph: { name: "defaults", initializer, output } };
}

const irVersionOfDefaults = 4;
