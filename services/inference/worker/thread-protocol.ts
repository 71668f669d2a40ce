import type { Reason } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";

/** What a thread is started with. */
export interface ThreadStart {
  /** The ONNX file. */
  readonly path: string;
  /** The SHA-256 that the bytes of the file must have, in lower-case hexadecimal digits. */
  readonly sha256: string;
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
}

/** What a thread is told. It does one thing after the other, in order. */
export type ThreadRequest =
  /** The buffers of the inputs are transferred. */
  | {
      readonly kind: "run";
      readonly runId: number;
      readonly inputs: readonly Tensor[];
      readonly outputNames: readonly string[];
    }
  /** Frees the native memory and ends. */
  | { readonly kind: "stop" };

/** What a thread says: `loaded` or `refused` once, then one answer per `run`. */
export type ThreadReply =
  | { readonly kind: "loaded"; readonly signature: Signature }
  | { readonly kind: "refused"; readonly reason: Reason; readonly message: string }
  /** In the order of `outputNames`; their buffers are transferred. */
  | { readonly kind: "ran"; readonly runId: number; readonly outputs: readonly Tensor[] }
  | { readonly kind: "failed"; readonly runId: number; readonly reason: Reason; readonly message: string };
