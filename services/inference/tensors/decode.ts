import { ServiceError } from "../../../lib/errors.ts";
import type {
  _inference_ModelInferRequest_InferInputTensor__Output as InputTensor,
  ModelInferRequest__Output as Request,
} from "../../../lib/gen/inference/ModelInferRequest.ts";
import { elementBytes, elementCount, type Signature, type Tensor, type TensorSpec } from "../../../lib/tensor.ts";
import type { RunTrace } from "../tracing/request-trace.ts";
import { checkByteStrings } from "./byte-strings.ts";
import { bytesOfContents } from "./contents.ts";
import { refuseUnsupported, responsesMaxOf, type SequenceStep, sequenceOf, waitingOf } from "./parameters.ts";
import { checkByteCount, checkedShape } from "./shape.ts";
import { quoted, quotedList, tensorFault } from "./tensor-fault.ts";

/** What a session is asked to do. */
export interface InferenceJob {
  /** One tensor per input that the request gives, in the order of the signature. Raw bytes alias the receive buffer. */
  readonly inputs: readonly Tensor[];
  /** The outputs that are wanted, in the order of the response. */
  readonly outputNames: readonly string[];
  /** Size of all inputs in bytes. */
  readonly inputBytes: number;
  /** 1 is the highest; 0 where the request names none. */
  readonly priority: number;
  /** How long it may wait to be run; 0 where the request does not say. */
  readonly timeoutMs: number;
  /** Whether the bytes of the inputs are needed after a run, which otherwise takes the buffers that have nothing else in them. */
  readonly keepsInputs?: boolean;
  /** Which of several responses to a request it gives, from 0; absent where there is but one. */
  readonly responseIndex?: number;
  /** What is told of its run; absent where the request is not traced. */
  readonly trace?: RunTrace;
}

/** A job, and what the request says of its sequence and its responses. */
export interface InferenceRequest extends InferenceJob {
  readonly sequence: SequenceStep;
  /** Responses that are wanted at most; 0 where the request does not say. */
  readonly responsesMax: number;
}

/**
 * Checks a request against the signature of the model that it names.
 *
 * Throws TENSOR_INVALID or REQUEST_INVALID with the first thing that is wrong.
 */
export function decodeRequest(request: Request, signature: Signature): InferenceRequest {
  const model = quoted(request.modelName);
  refuseUnsupported(request);
  const names = namesOf(signature);
  const indexOf = indexByName(request, names, model);
  checkNeeded(indexOf, names, model);
  checkCarriage(request, model);
  const inputs: Tensor[] = [];
  for (const spec of signature.inputs) {
    const index = indexOf.get(spec.name);
    if (index === undefined) continue;
    const label = `input ${quoted(spec.name)} of model ${model}`;
    inputs.push(decodeInput(request.inputs[index], request.rawInputContents[index], spec, label));
  }
  const inputBytes = inputs.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const outputNames = wantedOutputs(request, names.outputs, model);
  return {
    inputs,
    outputNames,
    inputBytes,
    ...waitingOf(request),
    sequence: sequenceOf(request),
    responsesMax: responsesMaxOf(request),
  };
}

/** The names in a signature. */
interface SignatureNames {
  readonly inputs: ReadonlySet<string>;
  /** The inputs that are not optional. */
  readonly needed: readonly string[];
  readonly outputs: readonly string[];
}

const knownNames = new WeakMap<Signature, SignatureNames>();

/** Collected once: requests are many. */
function namesOf(signature: Signature): SignatureNames {
  let names = knownNames.get(signature);
  if (names === undefined) {
    names = {
      inputs: new Set(signature.inputs.map(({ name }) => name)),
      needed: signature.inputs.filter(({ optional }) => !optional).map(({ name }) => name),
      outputs: signature.outputs.map(({ name }) => name),
    };
    knownNames.set(signature, names);
  }
  return names;
}

/** Where each input stands in the request: all are the model's, and none is there twice. */
function indexByName({ inputs }: Request, known: SignatureNames, model: string): ReadonlyMap<string, number> {
  const indexOf = new Map<string, number>();
  for (const { name } of inputs) {
    if (!known.inputs.has(name)) {
      const expected = quotedList([...known.inputs]);
      throw tensorFault(`unexpected input ${quoted(name)} for model ${model}; its inputs: ${expected}`);
    }
    if (indexOf.has(name)) throw tensorFault(`input ${quoted(name)} already exists in request for model ${model}`);
    indexOf.set(name, indexOf.size);
  }
  return indexOf;
}

/** Every input that is not optional is there. */
function checkNeeded(given: ReadonlyMap<string, number>, { inputs, needed }: SignatureNames, model: string): void {
  if (needed.every((name) => given.has(name))) return;
  const missing = needed.filter((name) => !given.has(name));
  const range = needed.length === inputs.size ? `${inputs.size} inputs` : `${needed.length} to ${inputs.size} inputs`;
  throw tensorFault(
    `expected ${range} but got ${given.size} inputs for model ${model}; missing: ${quotedList(missing)}`,
  );
}

/** Either all inputs have contents, or all have raw bytes. */
function checkCarriage(request: Request, model: string): void {
  const rawCount = request.rawInputContents.length;
  if (rawCount === 0) return;
  const doubled = request.inputs.find(({ contents }) => contents !== null);
  if (doubled !== undefined) {
    throw tensorFault(
      `contents field must not be specified when using raw_input_contents for ${quoted(doubled.name)} for model ${model}`,
    );
  }
  if (rawCount !== request.inputs.length) {
    throw tensorFault(
      `raw_input_contents has ${rawCount} entries for ${request.inputs.length} inputs of model ${model}; needed: one per input`,
    );
  }
}

function decodeInput(input: InputTensor, raw: Buffer | undefined, spec: TensorSpec, label: string): Tensor {
  const { name, dataType } = spec;
  if (input.datatype !== dataType)
    throw tensorFault(`${label} has datatype ${quoted(input.datatype)}; needed: '${dataType}'`);
  const shape = checkedShape(input.shape, spec, label);
  const count = elementCount(shape);
  const size = elementBytes[dataType];
  if (raw !== undefined && size !== undefined) checkByteCount(raw.byteLength, shape, size, label);
  const bytes = raw === undefined ? bytesOfContents(input.contents, dataType, count, label) : raw;
  if (dataType === "BYTES") checkByteStrings(bytes, count, label);
  return { name, dataType, shape, bytes };
}

function wantedOutputs(request: Request, known: readonly string[], model: string): readonly string[] {
  if (request.outputs.length === 0) return known;
  const wanted = new Set<string>();
  for (const { name } of request.outputs) {
    if (!known.includes(name)) {
      throw tensorFault(`unexpected output ${quoted(name)} for model ${model}; its outputs: ${quotedList(known)}`);
    }
    if (wanted.has(name)) {
      throw new ServiceError("REQUEST_INVALID", `output ${quoted(name)} already exists in request for model ${model}`);
    }
    wanted.add(name);
  }
  return [...wanted];
}
