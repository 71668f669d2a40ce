import { assert, ServiceError } from "../../../lib/errors.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Node, Shape, Value } from "../../../lib/onnx/graph.ts";
import { gradientRules } from "./rules/gradient-rules.ts";
import type { GradientRule } from "./rules/rule.ts";

/**
 * Appends the gradients of `loss`, a scalar, with respect to `parameters` and gives them in that order, each of its
 * parameter's shape. This is reverse accumulation (Linnainmaa 1970): one walk from the last node to the first.
 *
 * Throws SPEC_INVALID where an operator between a parameter and the loss has no gradient, and where the loss does not
 * depend on a parameter at all.
 */
export function gradients(graph: GraphBuilder, loss: Value, parameters: readonly Value[]): Value[] {
  assert(loss.shape.length === 0, `the loss is a scalar, not of shape [${loss.shape}]`);
  const nodes = [...graph.nodes];
  const moving = dependents(nodes, parameters);
  const found = new Map<Value, Value>([[loss, graph.scalar(1, loss.dataType)]]);
  for (const node of nodes.reverse()) {
    const { inputs, outputs, attributes } = node;
    const dys = outputs.map((output) => (moving.has(output) ? found.get(output) : undefined));
    if (dys.every((dy) => dy === undefined)) continue;
    const [output, dy] = [outputs[0], dys[0] as Value];
    const partials = ruleOf(node)({ graph, inputs, attributes, output, dy, outputs, dys });
    for (const [index, input] of inputs.entries()) {
      const partial = partials[index];
      if (partial === undefined || !moving.has(input)) continue;
      const gradient = summedTo(graph, partial(), input.shape);
      const before = found.get(input);
      found.set(input, before === undefined ? gradient : graph.add(before, gradient));
    }
  }
  return parameters.map((parameter) => {
    const gradient = found.get(parameter);
    if (gradient === undefined) throw invalid(`the loss does not depend on the parameter ${parameter.name}`);
    return gradient;
  });
}

/** The values that change when a parameter changes: only these need gradients. */
function dependents(nodes: readonly Node[], parameters: readonly Value[]): ReadonlySet<Value> {
  const moving = new Set(parameters);
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((input) => moving.has(input))) for (const output of outputs) moving.add(output);
  }
  return moving;
}

function ruleOf({ name, operator }: Node): GradientRule {
  const rules: Readonly<Record<string, GradientRule | undefined>> = gradientRules;
  const rule = Object.hasOwn(rules, operator) ? rules[operator] : undefined;
  if (rule !== undefined) return rule;
  const supported = Object.keys(rules).filter((known) => rules[known] !== undefined);
  throw invalid(`the node ${name} (${operator}) has no gradient; supported: ${supported.sort().join(", ")}`);
}

/** Undoes broadcasting: sums over the axes along which an input of `shape` was repeated. */
function summedTo(graph: GraphBuilder, gradient: Value, shape: Shape): Value {
  const added = gradient.shape.length - shape.length;
  const aligned = added > 0 ? graph.reduceSum(gradient, [...Array(added).keys()]) : gradient;
  const repeated = shape.flatMap((size, axis) => (size === aligned.shape[axis] ? [] : [axis]));
  return repeated.length > 0 ? graph.reduceSum(aligned, repeated, true) : aligned;
}

function invalid(message: string): ServiceError {
  return new ServiceError("SPEC_INVALID", message);
}
