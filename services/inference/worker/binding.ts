import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";

/** What a tensor holds: strings, or the typed array of its type. */
export type RuntimeData = readonly string[] | ArrayBufferView;

/** A tensor as the runtime takes and makes it. */
export class RuntimeTensor {
  /** The runtime's name of its data type. */
  readonly type: string;
  readonly data: RuntimeData;
  readonly dims: readonly number[];
  readonly location = "cpu";

  /** The runtime calls it with these. */
  constructor(type: string, data: RuntimeData, dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }

  /** The runtime makes those with this that it leaves on a device. */
  static fromGpuBuffer(memory: unknown, made: DeviceTensorOptions): DeviceTensor {
    return new DeviceTensor(memory, made);
  }
}

/** What the runtime says of a tensor that it leaves on a device. */
interface DeviceTensorOptions {
  readonly dataType: string;
  readonly dims: readonly number[];
  readonly dispose: () => void;
}

/** A tensor in the memory of a device. To run one that was disposed of ends the process, and so does a session that is disposed of before. */
export class DeviceTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly location = "gpu-buffer";
  /** The runtime's own. */
  readonly gpuBuffer: unknown;
  /** Frees the memory. */
  readonly dispose: () => void;

  constructor(gpuBuffer: unknown, { dataType, dims, dispose }: DeviceTensorOptions) {
    this.type = dataType;
    this.dims = dims;
    this.gpuBuffer = gpuBuffer;
    this.dispose = dispose;
  }
}

/** A session of the runtime. Calls block the thread, and throw plain errors with the runtime's text. */
export interface RuntimeSession {
  readonly inputMetadata: readonly { readonly name: string }[];
  readonly outputMetadata: readonly { readonly name: string }[];
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  /** Gives the tensors of those names among `fetches` that are outputs. An input that is missing may end the process. */
  run(
    feeds: Readonly<Record<string, RuntimeTensor | DeviceTensor>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Readonly<Record<string, RuntimeTensor | DeviceTensor>>;
  dispose(): void;
}

interface Binding {
  readonly InferenceSession: new () => RuntimeSession;
  listSupportedBackends(): readonly { readonly name: string }[];
  initOrtOnce(logLevel: number, tensor: typeof RuntimeTensor, isMainThread: boolean): void;
}

const require = createRequire(import.meta.url);

/**
 * The native part of onnxruntime-node. Its JavaScript is left out: to read and run its forty files takes a thread a fifth of its start, and
 * each run would wait for a turn of the event loop.
 */
const binding: Binding = require(
  `onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/onnxruntime_binding.node`,
);
const warnings = 2;
binding.initOrtOnce(warnings, RuntimeTensor, isMainThread);

/** A session without a model. */
export function newSession(): RuntimeSession {
  return new binding.InferenceSession();
}

/** The execution providers that the runtime was built for. */
export function builtProviders(): readonly string[] {
  return binding.listSupportedBackends().map(({ name }) => name);
}

/** The version of onnxruntime-node. */
export function runtimeVersion(): string {
  return (require("onnxruntime-node/package.json") as { readonly version: string }).version;
}
