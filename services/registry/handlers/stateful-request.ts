import type { Decoupled__Output } from "../../../lib/gen/amaas/registry/v1/Decoupled.ts";
import type {
  SequenceBatching,
  SequenceBatching__Output,
} from "../../../lib/gen/amaas/registry/v1/SequenceBatching.ts";
import { atMost, checkShape, checkText, invalid, whole } from "./requests.ts";

/** Sequences as they are stored: bytes as base64. Throws REQUEST_INVALID with the path of the field that is beyond its bounds. */
export function checkedSequences(wanted: SequenceBatching__Output): SequenceBatching {
  const field = "settings.sequence_batching";
  const { states, maxSequences, maxSequenceIdleMicroseconds } = wanted;
  whole(`${field}.max_sequences`, maxSequences, 0, 1_000_000);
  whole(`${field}.max_sequence_idle_microseconds`, maxSequenceIdleMicroseconds, 0, 86_400_000_000);
  if (states.length === 0) throw invalid(`${field}.states`, "empty", "1 to 64 states");
  checkPairs(`${field}.states`, states);
  const bytes = states.reduce((sum, { initialRaw }) => sum + initialRaw.length, 0);
  if (bytes > rawBytesMax) throw invalid(`${field}.states.initial_raw`, `${bytes} bytes`, `at most ${rawBytesMax}`);
  const stored = states.map(({ inputName, outputName, initialShape, initialRaw }, index) => {
    checkShape(`${field}.states[${index}].initial_shape`, initialShape, -1);
    return { inputName, outputName, initialShape, initialRaw: Buffer.from(initialRaw).toString("base64") };
  });
  return { states: stored, maxSequences, maxSequenceIdleMicroseconds };
}

/** The same for decoupled models. */
export function checkedDecoupled(wanted: Decoupled__Output): Decoupled__Output {
  const field = "settings.decoupled";
  const { lastOutput, maxResponses, feedbacks } = wanted;
  checkText(`${field}.last_output`, lastOutput, 1024);
  whole(`${field}.max_responses`, maxResponses, 1, 1_000_000);
  checkPairs(`${field}.feedbacks`, feedbacks);
  return wanted;
}

/** At most 64 outputs that become inputs, every input once. */
function checkPairs(
  field: string,
  pairs: readonly { readonly inputName: string; readonly outputName: string }[],
): void {
  const inputs = pairs.map(({ inputName }) => inputName);
  for (const [index, { inputName, outputName }] of atMost(field, pairs, 64).entries()) {
    checkText(`${field}[${index}].input_name`, inputName, 1024);
    checkText(`${field}[${index}].output_name`, outputName, 1024);
    if (inputName === "") throw invalid(`${field}[${index}].input_name`, "empty", "the name of an input");
    if (outputName === "") throw invalid(`${field}[${index}].output_name`, "empty", "the name of an output");
    if (inputs.indexOf(inputName) < index) {
      throw invalid(`${field}[${index}].input_name`, `${inputName} once more`, "each input once");
    }
  }
}

/** Every node that holds the model is sent them. */
const rawBytesMax = 1024 ** 2;
