import { ServiceError } from "../../../lib/errors.ts";
import { externalLocations } from "../../../lib/onnx/external-data.ts";
import {
  type GraphProto,
  type Int64,
  integerOf,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import type { ModelFacts } from "../store/validations.ts";
import { checkOperators, checkOpsetImports, checkSignature } from "./model-bounds.ts";

/** What an ONNX file says of itself. */
export interface FileFacts extends Omit<ModelFacts, "memoryBytes"> {
  /** The files that it keeps its weights in. */
  readonly locations: readonly string[];
}

/** Reads what a model says of itself; throws ARTIFACT_INVALID with the reason where no model can say that. */
export function factsOf(model: ModelProto): FileFacts {
  const { nodes, tensors } = partsOf(model);
  const facts = {
    signature: signatureOf(model),
    operators: operatorsOf(nodes),
    opsets: opsetsOf(model),
    parameterCount: parameterCountOf(tensors),
  };
  checkSignature(facts.signature);
  checkOperators(facts.operators);
  const bytes = JSON.stringify(facts).length;
  if (bytes > factsBytesMax) {
    throw invalid(`its inputs, outputs and operators take ${bytes} bytes to list; needed: at most ${factsBytesMax}`);
  }
  return { ...facts, locations: [...externalLocations(model).keys()] };
}

/** What lists of versions can carry. */
const factsBytesMax = 1024 ** 2;

/** The contract's name of ONNX's own domain. */
export const ownDomain = "ai.onnx";

interface Parts {
  readonly nodes: readonly NodeProto[];
  /** Initializers. */
  readonly tensors: readonly TensorProto[];
}

/** All nodes and initializers, with those of subgraphs and functions. */
function partsOf({ graph, functions = [] }: ModelProto): Parts {
  const nodes: NodeProto[] = [];
  const tensors: TensorProto[] = [];
  const bodies = functions.map(({ node }) => ({ node }));
  const waiting: Pick<GraphProto, "node" | "initializer" | "sparseInitializer">[] = [graph ?? {}, ...bodies];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    for (const tensor of part.initializer ?? []) tensors.push(tensor);
    for (const { values } of part.sparseInitializer ?? []) if (values) tensors.push(values);
    for (const node of part.node ?? []) {
      nodes.push(node);
      for (const { g, graphs = [] } of node.attribute ?? []) for (const inner of g ? [g] : graphs) waiting.push(inner);
    }
  }
  return { nodes, tensors };
}

function operatorsOf(nodes: readonly NodeProto[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { domain = "", opType = "" } of nodes) {
    const name = domain === "" || domain === ownDomain ? opType : `${domain}/${opType}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function opsetsOf({ opsetImport = [] }: ModelProto): Record<string, number> {
  checkOpsetImports(opsetImport.map(({ domain = "" }) => domain));
  const opsets = new Map<string, number>();
  for (const { domain, version = 0 } of opsetImport) {
    const name = domain || ownDomain;
    const number = exact(version, `its operator set ${name}`, 1);
    if (number >= 2 ** 31) throw invalid(`its operator set ${name} is ${number}`);
    opsets.set(name, number);
  }
  return Object.fromEntries(opsets);
}

function parameterCountOf(tensors: readonly TensorProto[]): number {
  let sum = 0;
  for (const { name, dims = [] } of tensors) {
    sum += dims.reduce<number>((product, size) => product * exact(size, `a dimension of ${name}`, 0), 1);
    if (!Number.isSafeInteger(sum)) throw invalid(`its initializers up to ${name} have ${sum} elements`);
  }
  return sum;
}

function exact(value: Int64, what: string, min: number): number {
  let number: number;
  try {
    number = integerOf(value);
  } catch (cause) {
    throw invalid(`${what} is beyond 2^53`, cause);
  }
  if (number < min) throw invalid(`${what} is ${number}; needed: at least ${min}`);
  return number;
}

function invalid(why: string, cause?: unknown): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `not an ONNX model: ${why}`, { cause });
}
