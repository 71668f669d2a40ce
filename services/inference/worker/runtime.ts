import { createRequire } from "node:module";
import type * as Onnxruntime from "onnxruntime-node";
import { joinedByteStrings, textsOf } from "../../../lib/byte-strings.ts";
import { assert, messageOf, type Reason, ServiceError } from "../../../lib/errors.ts";
import { carriers } from "../../../lib/onnx/carriers.ts";
import { isShortage } from "../../../lib/onnx/shortage.ts";
import type { DataType, Tensor } from "../../../lib/tensor.ts";
import type { DeviceLock } from "./device-lock.ts";
import { cpu, leftNodesKey, triedKey } from "./execution-providers.ts";
import type { RunResult } from "./thread-protocol.ts";

/** By `require`: an `import` would look through all of its files for names, which makes up a seventh of the start of a thread. */
const onnxruntime: typeof Onnxruntime = createRequire(import.meta.url)("onnxruntime-node");

/** What runs the models, and its version. */
export const runtimeName = `onnxruntime ${onnxruntime.env.versions.node}`;

/** The execution providers that it was built for, whether they work here or not. */
export function builtProviders(): readonly string[] {
  return onnxruntime.listSupportedBackends().map(({ name }) => name);
}

/** How a session is made. */
export interface SessionOptions {
  /** Best first: each takes the nodes of the model that those before it cannot. Nothing runs on another. */
  readonly executionProviders: readonly string[];
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
  /** The files that the ONNX file keeps its weights in, by their paths in it. They are copied. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** What the threads of the process use WebGPU by in turn; needed where there is more than one. */
  readonly deviceLock?: DeviceLock | undefined;
}

/** One model in native memory. Calls block the thread. */
export interface Session {
  /**
   * Gives the named outputs, in buffers of their own.
   *
   * Throws TENSOR_INVALID with the runtime's own text where the model cannot take the inputs, and INTERNAL where the
   * machine was short of memory or threads.
   */
  run(inputs: readonly Tensor[], outputNames: readonly string[]): Promise<RunResult>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/**
 * Loads an ONNX model. Throws ARTIFACT_INVALID with the runtime's own text where it cannot be loaded or an execution provider cannot be
 * used, and INTERNAL where the machine was short of memory or threads; the metadata says which providers were tried.
 */
export async function openSession(model: Uint8Array, options: SessionOptions): Promise<Session> {
  const { executionProviders, deviceLock } = options;
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> =>
    deviceLock !== undefined && executionProviders.includes("webgpu") ? deviceLock.hold(work) : work();
  const session = await inTurn(() => onnxruntime.InferenceSession.create(model, runtimeOptions(options))).catch(
    (cause: unknown) => {
      throw loadFaultOf(cause, executionProviders);
    },
  );
  return {
    run: async (inputs, outputNames) => {
      const beginMs = performance.now();
      const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, toRuntime(tensor)]));
      const fedMs = performance.now();
      const results = await inTurn(() => session.run(feeds, outputNames)).catch((cause: unknown) => {
        throw faultOf(cause, "TENSOR_INVALID", "the model cannot take these inputs");
      });
      const ranMs = performance.now();
      const outputs = outputNames.map((name) => fromRuntime(name, results[name] as Onnxruntime.Tensor));
      const outputMs = performance.now() - ranMs;
      return { outputs, phases: { inputMs: fedMs - beginMs, computeMs: ranMs - fedMs, outputMs } };
    },
    release: () => inTurn(() => session.release()),
  };
}

function runtimeOptions(options: SessionOptions): Onnxruntime.InferenceSession.SessionOptions {
  const { executionProviders, intraOpThreads, externalData } = options;
  // The runtime would give the CPU whatever is left over.
  const placement = executionProviders.includes(cpu) ? {} : { disable_cpu_ep_fallback: "1" };
  return {
    executionProviders,
    externalData,
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    // A refused request is the caller's to know; the runtime would also print it.
    logSeverityLevel: 4,
    // Within a run threads find their next piece of work sooner by spinning; between runs that would take the cores that the event
    // loop and the other sessions need.
    extra: { session: { force_spinning_stop: "1", ...placement } },
  };
}

function loadFaultOf(cause: unknown, executionProviders: readonly string[]): ServiceError {
  const tried = { [triedKey]: executionProviders.join(",") };
  if (!messageOf(cause).includes("assigned to the default CPU EP")) {
    return faultOf(cause, "ARTIFACT_INVALID", "the runtime cannot load the model", tried);
  }
  const message = `${executionProviders.join(", ")} cannot run all nodes of the model, and nothing else may take the rest`;
  return new ServiceError("ARTIFACT_INVALID", message, { metadata: { ...tried, [leftNodesKey]: "true" }, cause });
}

/** The runtime fails in one way for everything; its text tells whose fault it was. */
function faultOf(cause: unknown, reason: Reason, what: string, metadata?: ServiceError["metadata"]): ServiceError {
  const text = messageOf(cause);
  return isShortage(text)
    ? new ServiceError("INTERNAL", `the node is short of memory or threads: ${text}`, { metadata, cause })
    : new ServiceError(reason, `${what}: ${text}`, { metadata, cause });
}

const dataTypeOf = new Map(
  Object.entries(carriers).flatMap(([dataType, carrier]) =>
    carrier ? [[carrier.type as string, dataType as DataType]] : [],
  ),
);

function toRuntime({ dataType, shape, bytes }: Tensor): Onnxruntime.Tensor {
  const carrier = carriers[dataType];
  assert(carrier !== undefined, `${dataType} never reaches a session`);
  if (carrier.array === undefined) return new onnxruntime.Tensor("string", textsOf(bytes), shape);
  const { BYTES_PER_ELEMENT } = carrier.array;
  // In a message tensors lie anywhere.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const elements = new carrier.array(buffer as ArrayBuffer, byteOffset, byteLength / BYTES_PER_ELEMENT);
  return new onnxruntime.Tensor(carrier.type as "float32", elements as Float32Array, shape);
}

function fromRuntime(name: string, tensor: Onnxruntime.Tensor): Tensor {
  const dataType = dataTypeOf.get(tensor.type);
  assert(dataType !== undefined, `the runtime gives only tensors that it takes, not ${tensor.type}`);
  return { name, dataType, shape: tensor.dims, bytes: bytesOf(tensor.data) };
}

function bytesOf(data: Onnxruntime.Tensor["data"]): Uint8Array {
  if (Array.isArray(data)) return joinedByteStrings(data.map((text) => Buffer.from(text, "utf8")));
  const { buffer, byteOffset, byteLength } = data as Exclude<Onnxruntime.Tensor["data"], string[]>;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
