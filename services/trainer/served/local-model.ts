import { withLabels } from "../../../lib/onnx/labels.ts";
import { readModel } from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import { openServed } from "../engine/runtime.ts";
import type { ClassForm } from "../metrics/metric-counter.ts";
import type { Answering } from "./answering.ts";
import { classFormOf } from "./class-form.ts";

/** A version's file, run in this thread, which it blocks. */
export interface LocalModel extends Answering {
  /** In what form an output tells classes. */
  formOf(output: string): ClassForm;
  /** Frees the native memory. */
  close(): Promise<void>;
}

/** Opens a version's files; throws ARTIFACT_INVALID where the runtime cannot load them. */
export async function openLocalModel(
  { model, files }: { readonly model: Uint8Array; readonly files: ReadonlyMap<string, Uint8Array> },
  threadCount: number,
): Promise<LocalModel> {
  const read = readModel(model);
  const session = await openServed(model, files, threadCount);
  return {
    signature: withLabels(signatureOf(read), read),
    answer: (inputs) => session.run(inputs),
    formOf: (output) => classFormOf(read, output),
    close: () => session.release(),
  };
}
