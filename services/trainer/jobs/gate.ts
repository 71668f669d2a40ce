import type { Gate__Output } from "../../../lib/gen/amaas/trainer/v1/Gate.ts";
import { parseArtifactName } from "../../../lib/resource-names.ts";
import type { Loss } from "../graph/losses/loss.ts";
import { specError } from "../graph/spec-error.ts";
import { measuredBy } from "../metrics/counter-of.ts";
import { type MetricName, metricNames } from "../metrics/metric-counter.ts";

/** What a version must reach before the alias moves to it. */
export interface Gate {
  /** Of the version, such as "validation_f1"; with a dataset of rows that are measured, such as "f1". */
  readonly metric: string;
  readonly bound:
    | { readonly kind: "at_least" | "at_most"; readonly value: number }
    /** What each version has that the alias points at, on the same rows. */
    | { readonly kind: "better_than_alias" };
  /** The rows that it is measured on; those held out from the training if not set. */
  readonly dataset: string | undefined;
}

/** What a gate says. */
export interface Verdict {
  readonly passes: boolean;
  /** What was measured, and what is needed. */
  readonly message: string;
}

/** What a gate is told with. */
export interface GateContext {
  readonly loss: Loss;
  readonly alias: string | undefined;
  readonly hasHeldOut: boolean;
}

/** The gate of a training, undefined where it has none; SPEC_INVALID where it could not be passed or has nothing to hold back. */
export function gateOf(gate: Gate__Output | null | undefined, context: GateContext): Gate | undefined {
  if (!gate) return undefined;
  if (context.alias === undefined) throw specError("gate", "set", "none without a target_alias");
  const dataset = gate.dataset ? `artifacts/${parseArtifactName(gate.dataset, "gate.dataset")}` : undefined;
  if (dataset === undefined && !context.hasHeldOut) {
    throw specError("gate", "set", "a dataset in it, or rows that are held out: a validation_share above 0");
  }
  const bound = boundOf(gate);
  const measured = measuredBy(context.loss);
  // Other versions have no loss on these rows.
  const own = bound.kind === "better_than_alias" ? [] : ["validation_loss"];
  const known = dataset === undefined ? [...own, ...measured.map((name) => `validation_${name}`)] : measured;
  if (!known.includes(gate.metric)) throw specError("gate.metric", gate.metric, `one of ${known.join(", ")}`);
  return { metric: gate.metric, bound, dataset };
}

function boundOf(gate: Gate__Output): Gate["bound"] {
  switch (gate.bound) {
    case "betterThanAlias":
      if (!gate.betterThanAlias) throw specError("gate.better_than_alias", false, "true, or another bound");
      return { kind: "better_than_alias" };
    case "atLeast":
    case "atMost": {
      const [kind, value] =
        gate.bound === "atLeast" ? (["at_least", gate.atLeast] as const) : (["at_most", gate.atMost] as const);
      if (!Number.isFinite(value)) throw specError(`gate.${kind}`, value, "a finite number");
      return { kind, value: value! };
    }
    case undefined:
      throw specError("gate", "without a bound", "one of at_least, at_most, better_than_alias");
  }
}

/** The value of another version that an alias points at. */
export interface Rival {
  readonly version: string;
  readonly value: number | undefined;
}

/**
 * What a gate says of a value; `rivals` are those that it must be better than. A value that could not be measured, or is not finite, never
 * passes.
 */
export function verdictOf(
  { metric, bound }: Gate,
  measured: number | undefined,
  rivals: readonly Rival[] = [],
): Verdict {
  const value = Number.isFinite(measured) ? measured : undefined;
  const seen = `${metric} is ${measured ?? "not defined for these rows"}`;
  if (bound.kind !== "better_than_alias") {
    const passes = value !== undefined && (bound.kind === "at_least" ? value >= bound.value : value <= bound.value);
    return { passes, message: `${seen}; needed: at ${bound.kind === "at_least" ? "least" : "most"} ${bound.value}` };
  }
  const lessIsBetter = metricNames[metric.replace("validation_", "") as MetricName] === "less";
  const isBetter = (than: number) => value !== undefined && (lessIsBetter ? value < than : value > than);
  const unbeaten = rivals.filter(
    (rival) => value === undefined || (Number.isFinite(rival.value) && !isBetter(rival.value!)),
  );
  const passes = value !== undefined && unbeaten.length === 0;
  const [first] = unbeaten.length > 0 ? unbeaten : rivals;
  const needed =
    first === undefined
      ? "some value"
      : `${lessIsBetter ? "less" : "more"} than the ${first.value} of ${first.version}`;
  return { passes, message: `${seen}; needed: ${needed}` };
}
