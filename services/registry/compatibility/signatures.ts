import { anyRank } from "../../../lib/onnx/signature.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";
import { type Breakage, breakageOf, type Difference, type Side } from "./difference.ts";
import { shortened, tensorDifferences, tensorLabel, tensorPath, tensorText } from "./tensors.ts";

/**
 * What tells a new signature from an old one, judged by what our nodes demand of a request: every input that is not optional, no
 * input that they do not know, exactly its element type, and a shape that fits. Inputs and outputs are known by their names;
 * their order does not matter. Each is found when it is asked for.
 */
export function* differencesBetween(before: Signature, after: Signature): Generator<Difference, void> {
  yield* sideDifferences("inputs", before.inputs, after.inputs);
  yield* sideDifferences("outputs", before.outputs, after.outputs);
}

/** In the order of the old signature; what is new comes behind, in the order of the new one. */
function* sideDifferences(
  side: Side,
  before: readonly TensorSpec[],
  after: readonly TensorSpec[],
): Generator<Difference, void> {
  const successors = new Map(after.map((spec) => [spec.name, spec]));
  const known = new Set(before.map(({ name }) => name));
  const removed = before.filter(({ name }) => !successors.has(name));
  const added = after.filter(({ name }) => !known.has(name));
  const renames = renamesAmong(removed, added);
  const renamed = new Set(renames.values());
  for (const spec of before) {
    const successor = successors.get(spec.name);
    if (successor === undefined) yield removal(side, spec, renames.get(spec));
    else yield* tensorDifferences(side, spec, successor);
  }
  for (const spec of added) if (!renamed.has(spec)) yield addition(side, spec);
}

/** What each old one is called now: the first new one of the same form that is left, in the order of both. */
function renamesAmong(removed: readonly TensorSpec[], added: readonly TensorSpec[]): Map<TensorSpec, TensorSpec> {
  const byForm = new Map(added.map((spec) => [formOf(spec), [] as TensorSpec[]]));
  for (const spec of [...added].reverse()) byForm.get(formOf(spec))!.push(spec);
  return new Map(
    removed.flatMap((spec): [TensorSpec, TensorSpec][] => {
      const successor = byForm.get(formOf(spec))?.pop();
      return successor === undefined ? [] : [[spec, successor]];
    }),
  );
}

/** The same for all that differ in nothing but their names. */
function formOf({ dataType, shape, optional = false }: TensorSpec): string {
  const sizes = shape.map((size) => (typeof size === "number" || size === anyRank ? size : ""));
  return JSON.stringify([dataType, optional, sizes]);
}

function removal(side: Side, spec: TensorSpec, successor: TensorSpec | undefined): Difference {
  const [path, label, isInput] = [tensorPath(side, spec), tensorLabel(side, spec), side === "inputs"];
  const breakage = reversed(additionBreakage(side, spec));
  if (successor === undefined) {
    const kind = isInput ? "INPUT_REMOVED" : "OUTPUT_REMOVED";
    return { kind, path, oldValue: tensorText(spec), newValue: "", message: `${label} is gone`, ...breakage };
  }
  const kind = isInput ? "INPUT_RENAMED" : "OUTPUT_RENAMED";
  const message = `${label} is called ${JSON.stringify(shortened(successor.name))}`;
  return { kind, path, oldValue: spec.name, newValue: successor.name, message, ...bothWays };
}

function addition(side: Side, spec: TensorSpec): Difference {
  const kind = additionKind(side, spec);
  const demand = { REQUIRED_INPUT_ADDED: " and must be given", OPTIONAL_INPUT_ADDED: "", OUTPUT_ADDED: "" }[kind];
  const text = tensorText(spec);
  const message = `${tensorLabel(side, spec)}, ${shortened(text)}, is new${demand}`;
  return { kind, path: tensorPath(side, spec), oldValue: "", newValue: text, message, ...additionBreakage(side, spec) };
}

function additionKind(side: Side, { optional }: TensorSpec) {
  if (side === "outputs") return "OUTPUT_ADDED";
  return optional ? "OPTIONAL_INPUT_ADDED" : "REQUIRED_INPUT_ADDED";
}

const bothWays: Breakage = { breaksBackward: true, breaksForward: true };

/** Nodes refuse inputs that they do not know, and requests for outputs that there are not; clients pass over outputs more. */
function additionBreakage(side: Side, { optional }: TensorSpec): Breakage {
  if (side === "outputs") return { breaksBackward: false, breaksForward: true };
  return optional ? breakageOf("inputs", "MORE") : bothWays;
}

function reversed({ breaksBackward, breaksForward }: Breakage): Breakage {
  return { breaksBackward: breaksForward, breaksForward: breaksBackward };
}
