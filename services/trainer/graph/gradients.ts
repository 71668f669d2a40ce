import { assert, ServiceError } from "../../../lib/errors.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { isFloat } from "../../../lib/onnx/element-type.ts";
import type { Node, Shape, Value } from "../../../lib/onnx/graph.ts";
import { subgraphsOf, usedBy } from "../../../lib/onnx/uses.ts";
import { gradientRules } from "./rules/gradient-rules.ts";
import type { GradientRule } from "./rules/rule.ts";

/**
 * Appends the gradients of `loss`, a scalar, with respect to `parameters` and gives them in that order, each of its
 * parameter's shape. This is reverse accumulation (Linnainmaa 1970): one walk from the last node to the first.
 *
 * Throws SPEC_INVALID for a parameter that is no float or that the loss does not depend on, and for a node between a parameter
 * and the loss that has no gradient: its operator, an attribute of it, or control flow.
 */
export function gradients(graph: GraphBuilder, loss: Value, parameters: readonly Value[]): Value[] {
  const found = gradientsFound(graph, loss, parameters);
  return parameters.map((parameter) => {
    const gradient = found.get(parameter);
    if (gradient === undefined) throw invalid(`the loss does not depend on the parameter ${parameter.name}`);
    return gradient;
  });
}

/** As {@link gradients}, by parameter, without those that the loss does not depend on. */
export function gradientsFound(
  graph: GraphBuilder,
  loss: Value,
  parameters: readonly Value[],
): ReadonlyMap<Value, Value> {
  assert(loss.shape.length === 0, `the loss is a scalar, not of shape [${loss.shape}]`);
  for (const { name, dataType } of parameters) {
    if (!isFloat(dataType)) throw invalid(`the parameter ${name} is ${dataType}; needed: a floating-point type`);
  }
  const nodes = [...graph.nodes];
  const moving = dependents(nodes, parameters);
  const found = new Map<Value, Value>([[loss, graph.scalar(1, loss.dataType)]]);
  for (const node of nodes.reverse()) {
    const { inputs, outputs, attributes } = node;
    const dys = outputs.map((output) => (moving.has(output) ? found.get(output) : undefined));
    if (dys.every((dy) => dy === undefined)) continue;
    const [output, dy] = [outputs[0], dys[0] as Value];
    const refusal = (attribute: string, seen: string | number, needed: string) =>
      invalid(`${titleOf(node)} has ${attribute} ${seen}; its gradient needs ${needed}`);
    const rule = ruleOf(node);
    checkKnown(node);
    const partials = rule({ graph, inputs, attributes, output, dy, outputs, dys, refusal });
    for (const [index, input] of inputs.entries()) {
      const partial = partials[index];
      if (partial === undefined || !moving.has(input)) continue;
      const gradient = summedTo(graph, partial(), input.shape);
      const before = found.get(input);
      found.set(input, before === undefined ? gradient : graph.add(before, gradient));
    }
  }
  return found;
}

/**
 * The values that change smoothly when a parameter changes, so no integers and no truth values: only these need gradients. What nothing is
 * known of may.
 */
function dependents(nodes: readonly Node[], parameters: readonly Value[]): ReadonlySet<Value> {
  const moving = new Set(parameters);
  for (const node of nodes) {
    if (!usedBy(node).some((value) => moving.has(value))) continue;
    for (const output of node.outputs) {
      if (isFloat(output.dataType) || output.dataType === "UNKNOWN") moving.add(output);
    }
  }
  return moving;
}

function ruleOf(node: Node): GradientRule {
  const rules: Readonly<Record<string, GradientRule | undefined>> = gradientRules;
  const rule = Object.hasOwn(rules, node.operator) ? rules[node.operator] : undefined;
  if (rule !== undefined) return rule;
  if (subgraphsOf(node).length > 0) {
    throw invalid(`${titleOf(node)} is control flow, through which there is no gradient from the loss to a parameter`);
  }
  const supported = Object.keys(rules).filter((known) => rules[known] !== undefined);
  throw invalid(`${titleOf(node)} has no gradient; supported: ${supported.sort().join(", ")}`);
}

/** Rules work with shapes that fit. */
function checkKnown(node: Node): void {
  const values = [...node.inputs, ...node.outputs].filter((value: Value | undefined) => value !== undefined);
  const open = values.find(({ name, unknown }) => name !== "" && unknown !== undefined);
  if (open !== undefined) {
    const why = `whose shape its gradient needs, and which is not known: ${open.unknown}`;
    throw invalid(`${titleOf(node)} works with ${open.name}, ${why}`);
  }
  if (node.doubt !== undefined) throw invalid(`${node.doubt}; a gradient needs inputs that fit`);
}

function titleOf({ name, operator }: Node): string {
  return `the node ${name} (${operator})`;
}

/** Undoes broadcasting: sums over the axes along which an input of `shape` was repeated. */
function summedTo(graph: GraphBuilder, gradient: Value, shape: Shape): Value {
  const added = gradient.shape.length - shape.length;
  const aligned = added > 0 ? graph.reduceSum(gradient, [...Array(added).keys()]) : gradient;
  const repeated = shape.flatMap((size, axis) => (size === 1 && aligned.shape[axis] !== 1 ? [axis] : []));
  return repeated.length > 0 ? graph.reduceSum(aligned, repeated, true) : aligned;
}

function invalid(message: string): ServiceError {
  return new ServiceError("SPEC_INVALID", message);
}
