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
}

/** A session of the runtime. Calls block the thread, and throw plain errors with the runtime's text. */
export interface RuntimeSession {
  readonly inputMetadata: readonly { readonly name: string }[];
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  /** Gives the tensors of those names among `fetches` that are outputs. An input that is missing may end the process. */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches: Readonly<Record<string, null>>,
    options: object,
  ): Readonly<Record<string, RuntimeTensor>>;
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
