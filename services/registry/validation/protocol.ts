import type { Tensor } from "../../../lib/tensor.ts";
import type { Outcome } from "../store/validations.ts";

/** What a validator process is told: one model to validate. It does one after the other. */
export interface ValidatorTask {
  /** The ONNX file; the files that it keeps its weights in lie beside it, at their locations. */
  readonly path: string;
  readonly locations: readonly string[];
  /** What to run it on; null for zeros. */
  readonly sample: readonly Tensor[] | null;
}

/** What a validator process says: `ready` once, then one answer per task; where it `isWorn`, it is to be replaced. */
export type ValidatorReply =
  | { readonly kind: "ready" }
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly isWorn: boolean }
  /** The model asked for more than it may have. */
  | { readonly kind: "exceeded"; readonly detail: string; readonly isWorn: boolean }
  /** The machine was short of something, or failed; the same may succeed later. */
  | { readonly kind: "prevented"; readonly detail: string; readonly isWorn: boolean };

/** The signal by which a validator process ends itself when it holds more memory than it may. */
export const exceedingSignal = "SIGUSR2";
