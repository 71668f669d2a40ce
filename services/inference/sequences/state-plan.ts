import { anyRank } from "../../../lib/onnx/signature.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { bytesOf } from "../tensors/held-tensor.ts";
import { tensorFault } from "../tensors/tensor-fault.ts";
import { linkOf } from "./fits.ts";
import { type InitialState, initialState } from "./initial-state.ts";
import type { StateSettings } from "./sequence-settings.ts";

/** How the states of one model travel between its requests. */
export interface StatePlan {
  /** What requests give and get: the model's own signature without its states. */
  readonly signature: Signature;
  /** The rows that the states have for a request with these inputs; 0 where they have none. */
  rowCountOf(inputs: readonly Tensor[]): number;
  /** The states before the first request. Throws TENSOR_INVALID where its rows make them larger than all together may be. */
  initialStates(rowCount: number, bytesMax: number): readonly Tensor[];
  /** A job with states as inputs and wanted as outputs. */
  withStates(job: InferenceJob, states: readonly Tensor[]): InferenceJob;
  /** What such a job gave, apart: the outputs that the request wants, and the next states in buffers of their own. */
  split(
    job: InferenceJob,
    outputs: readonly Tensor[],
  ): { readonly outputs: readonly Tensor[]; readonly states: readonly Tensor[] };
}

/** Throws ARTIFACT_INVALID where the states do not fit the model. `wantedName` is the name by which an output is wanted that is one. */
export function statePlan(
  settings: readonly StateSettings[],
  signature: Signature,
  wantedName: (outputName: string) => string = asItIs,
): StatePlan {
  const states = settings.map((state, index) => plannedState(state, signature, index));
  const inputNames = new Set(states.map(({ inputName }) => inputName));
  const outputNames = [...new Set(states.map(({ outputName }) => outputName))];
  // The rows of a request are the first axis of an input that leaves it open.
  const withRows = new Set(signature.inputs.filter(({ shape: [first] }) => isOpen(first)).map(({ name }) => name));
  return {
    signature: {
      inputs: signature.inputs.filter(({ name }) => !inputNames.has(name)),
      outputs: signature.outputs.filter(({ name }) => !outputNames.includes(name)),
    },
    rowCountOf: (inputs) => {
      const rowCounts = inputs.filter(({ name }) => withRows.has(name)).map(({ shape: [first] }) => first);
      return states.some(({ initial }) => initial.hasRows) ? Math.max(1, ...rowCounts) : 0;
    },
    initialStates: (rowCount, bytesMax) => {
      const bytes = states.reduce((sum, { initial }) => sum + initial.bytes(rowCount), 0);
      if (bytes > bytesMax) {
        throw tensorFault(`the states of ${rowCount} rows have ${bytes} bytes; needed: at most ${bytesMax}`);
      }
      return states.map(({ initial }) => initial.tensor(rowCount));
    },
    withStates: (job, kept) => ({
      ...job,
      inputs: [...job.inputs, ...kept],
      outputNames: [...job.outputNames, ...outputNames.map(wantedName)],
      inputBytes: job.inputBytes + bytesOf(kept),
      keepsInputs: true,
    }),
    split: ({ outputNames: wanted }, outputs) => {
      const byName = new Map(outputs.slice(wanted.length).map((output) => [output.name, inOwnBuffer(output)]));
      return {
        outputs: outputs.slice(0, wanted.length),
        states: states.map(({ inputName, outputName }) => ({
          ...byName.get(wantedName(outputName))!,
          name: inputName,
        })),
      };
    },
  };
}

/** A tensor that keeps nothing but its own bytes in memory: outputs alias those of a whole batch. */
export function inOwnBuffer(tensor: Tensor): Tensor {
  const { bytes } = tensor;
  return bytes.byteLength === bytes.buffer.byteLength ? tensor : { ...tensor, bytes: Uint8Array.from(bytes) };
}

/** The name by which an output is wanted that is given here. */
export function asItIs(outputName: string): string {
  return outputName;
}

interface PlannedState {
  readonly inputName: string;
  readonly outputName: string;
  readonly initial: InitialState;
}

function plannedState(settings: StateSettings, signature: Signature, index: number): PlannedState {
  const { inputName, outputName } = settings;
  const { input } = linkOf(settings, signature, `sequence_batching.states[${index}]`);
  return { inputName, outputName, initial: initialState(settings, input) };
}

function isOpen(first: number | string | undefined): boolean {
  return typeof first === "string" && first !== anyRank;
}
