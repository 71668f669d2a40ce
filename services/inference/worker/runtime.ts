import { joinedByteStrings, textsOf } from "../../../lib/byte-strings.ts";
import { assert, messageOf, type Reason, ServiceError } from "../../../lib/errors.ts";
import { carriers } from "../../../lib/onnx/carriers.ts";
import { isShortage } from "../../../lib/onnx/shortage.ts";
import type { DataType, Tensor } from "../../../lib/tensor.ts";
import {
  type DeviceTensor,
  newSession,
  type RuntimeData,
  type RuntimeSession,
  RuntimeTensor,
  runtimeVersion,
} from "./binding.ts";
import type { DeviceLock } from "./device-lock.ts";
import { cpu, leftNodesKey, triedKey } from "./execution-providers.ts";
import { type KeptTensor, KeptTensors } from "./kept-tensors.ts";
import type { RunResult, SessionTensor } from "./thread-protocol.ts";

/** What runs the models, and its version. */
export function runtimeName(): string {
  return `onnxruntime ${runtimeVersion()}`;
}

/** How a session is made. */
export interface SessionOptions {
  /** Best first: each takes the nodes of the model that those before it cannot. Nothing runs on another. */
  readonly executionProviders: readonly string[];
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
  /** The files that the ONNX file keeps its weights in, by their paths in it. They are copied. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  /** The outputs that stay on the device until they are freed, where they are wanted so; only WebGPU keeps any. */
  readonly kept?: readonly string[];
  /** What the threads of the process use WebGPU by in turn; needed where there is more than one. */
  readonly deviceLock?: DeviceLock | undefined;
}

/** One model in native memory. Calls block the thread. */
export interface Session {
  /**
   * Gives the named outputs, in buffers of their own; those by their `heldName` as what the session keeps on its device.
   *
   * Throws TENSOR_INVALID with the runtime's own text where the model cannot take the inputs, and INTERNAL where the
   * machine was short of memory or threads.
   */
  run(inputs: readonly SessionTensor[], outputNames: readonly string[]): Promise<RunResult<SessionTensor>>;
  /** Frees what it keeps by that number. */
  free(heldId: number): Promise<void>;
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
  const session = await inTurn(async () => loaded(model, options)).catch((cause: unknown) => {
    throw loadFaultOf(cause, executionProviders);
  });
  const needed = session.inputMetadata.map(({ name }) => name);
  const kept = new KeptTensors(options.kept ?? [], session, (reader) => loaded(reader, { ...options, kept: [] }));
  return {
    run: async (inputs, outputNames) => {
      const beginMs = performance.now();
      const feeds = Object.fromEntries(inputs.map((tensor) => [tensor.name, fed(tensor, kept)]));
      const fetches = Object.fromEntries(kept.fetched(outputNames).map((name) => [name, null]));
      const fedMs = performance.now();
      const results = await inTurn(async () => kept.taken(ran(session, feeds, fetches, needed), outputNames)).catch(
        (cause: unknown) => {
          throw faultOf(cause, "TENSOR_INVALID", "the model cannot take these inputs");
        },
      );
      const ranMs = performance.now();
      const outputs = outputNames.map((name, index) => fromRuntime(name, results[index]));
      const outputMs = performance.now() - ranMs;
      return { outputs, phases: { inputMs: fedMs - beginMs, computeMs: ranMs - fedMs, outputMs } };
    },
    free: (heldId) => inTurn(async () => kept.free(heldId)),
    release: () =>
      inTurn(async () => {
        kept.close();
        session.dispose();
      }),
  };
}

function loaded(model: Uint8Array, options: SessionOptions): RuntimeSession {
  const session = newSession();
  session.loadModel(model.buffer, model.byteOffset, model.byteLength, runtimeOptions(options));
  return session;
}

function ran(
  session: RuntimeSession,
  feeds: Readonly<Record<string, RuntimeTensor | DeviceTensor>>,
  fetches: Readonly<Record<string, null>>,
  needed: readonly string[],
): Readonly<Record<string, RuntimeTensor | DeviceTensor>> {
  // The runtime would read from nowhere.
  const missing = needed.find((name) => !Object.hasOwn(feeds, name));
  if (missing !== undefined) throw new Error(`the input '${missing}' is missing`);
  return session.run(feeds, fetches, {});
}

function runtimeOptions(options: SessionOptions): object {
  const { executionProviders, intraOpThreads, externalData, kept = [] } = options;
  // The runtime would give the CPU whatever is left over.
  const placement = executionProviders.includes(cpu) ? {} : { disable_cpu_ep_fallback: "1" };
  return {
    executionProviders,
    externalData,
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    ...(kept.length > 0 && { preferredOutputLocation: Object.fromEntries(kept.map((name) => [name, "gpu-buffer"])) }),
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

function fed(tensor: SessionTensor, kept: KeptTensors): RuntimeTensor | DeviceTensor {
  return tensor.heldId === undefined ? toRuntime(tensor) : kept.get(tensor.heldId);
}

function toRuntime({ dataType, shape, bytes }: Tensor): RuntimeTensor {
  const carrier = carriers[dataType];
  assert(carrier !== undefined, `${dataType} never reaches a session`);
  if (carrier.array === undefined) return new RuntimeTensor("string", textsOf(bytes), shape);
  const { BYTES_PER_ELEMENT } = carrier.array;
  // In a message tensors lie anywhere.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const elements = new carrier.array(buffer as ArrayBuffer, byteOffset, byteLength / BYTES_PER_ELEMENT);
  return new RuntimeTensor(carrier.type, elements, shape);
}

function fromRuntime(name: string, given: RuntimeTensor | KeptTensor): SessionTensor {
  const { type, dims: shape } = given;
  const dataType = dataTypeOf.get(type);
  assert(dataType !== undefined, `the runtime gives only tensors that it takes, not ${type}`);
  if (given.location === "cpu") return { name, dataType, shape, bytes: bytesOf(given.data) };
  return { name, dataType, shape, bytes: new Uint8Array(), heldId: given.heldId };
}

function bytesOf(data: RuntimeData): Uint8Array {
  if (!ArrayBuffer.isView(data)) return joinedByteStrings(data.map((text) => Buffer.from(text, "utf8")));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
