import type { MessagePort } from "node:worker_threads";
import type { Reason } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";

/** What a thread is started with. */
export interface ThreadStart {
  /** The ONNX file. */
  readonly modelFile: ThreadFile;
  /** The files that it keeps its weights in. */
  readonly externalFiles: readonly ThreadExternalFile[];
  /** Best first; see `SessionOptions`. */
  readonly executionProviders: readonly string[];
  /** Threads of the runtime inside one operator; at most so many where they are found. */
  readonly intraOpThreads: number;
  /** Whether a model that is quick with one thread gets but one. */
  readonly findsThreads: boolean;
  /** By how much its threads are nicer than those of the process; see `makeNicer`. */
  readonly niceness: number;
  /** The outputs that stay on the device where they are wanted so, if it can keep them; empty where it keeps none. */
  readonly keeps: readonly string[];
}

/** What a thread gets besides from the process that it is in. */
export interface ThreadData extends ThreadStart {
  readonly deviceLock: SharedArrayBuffer;
  /** Where it marks that it runs; undefined where nobody would read it. */
  readonly markPath: string | undefined;
  /** Where it says what it has to say; absent where that is its parent's own port. */
  readonly replies?: MessagePort;
}

/** A file that a thread reads. */
export interface ThreadFile {
  readonly path: string;
  /** The SHA-256 that its bytes must have, in lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A file beside the ONNX file. */
export interface ThreadExternalFile extends ThreadFile {
  /** Its path as the ONNX file has it. */
  readonly location: string;
}

/** A tensor on its way to a session or from it: by a number, and without bytes, where the session keeps it on its device. */
export interface SessionTensor extends Tensor {
  readonly heldId?: number;
}

/** What a thread is told. It does one thing after the other, in order. */
export type ThreadRequest =
  /** The buffers of the inputs are transferred. */
  | {
      readonly kind: "run";
      readonly runId: number;
      readonly inputs: readonly SessionTensor[];
      readonly outputNames: readonly string[];
      /** Of a run that the thread was given while it was busy. */
      readonly ahead?: RunAheadTerms;
    }
  /** Frees what the session keeps by that number; said once. */
  | { readonly kind: "free"; readonly heldId: number }
  /** Frees the native memory and ends. */
  | { readonly kind: "stop" };

/** When a run that was given ahead is run: if the thread gets its claim, and its deadline has not passed then. */
export interface RunAheadTerms {
  /** See `RunClaim`. */
  readonly claim: SharedArrayBuffer;
  /** In milliseconds since 1970, or Infinity. */
  readonly deadlineMs: number;
}

/** What a thread says: `loaded` or `refused` once, then one answer per `run`, but none where it does not get the claim. */
export type ThreadReply =
  | {
      readonly kind: "loaded";
      readonly signature: Signature;
      readonly intraOpThreads: number;
      readonly kept: readonly string[];
    }
  | ({ readonly kind: "refused" } & ThreadFault)
  /** In the order of `outputNames`; their buffers are transferred. */
  | ({ readonly kind: "ran"; readonly runId: number } & RunResult<SessionTensor>)
  | ({ readonly kind: "failed"; readonly runId: number } & ThreadFault)
  /** It was not run: its deadline had passed. */
  | { readonly kind: "late"; readonly runId: number };

/** What a run gives. */
export interface RunResult<Output extends Tensor = Tensor> {
  readonly outputs: readonly Output[];
  readonly phases: RunPhases;
}

/** How long the parts of a run took, in milliseconds and their fractions. */
export interface RunPhases {
  /** Making the runtime's tensors of the inputs. */
  readonly inputMs: number;
  /** The runtime's own work. */
  readonly computeMs: number;
  /** Reading the runtime's outputs. */
  readonly outputMs: number;
}

/** A `ServiceError` on its way between threads. */
export interface ThreadFault {
  readonly reason: Reason;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}
