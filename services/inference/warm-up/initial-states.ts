import type { Signature } from "../../../lib/tensor.ts";
import { initialState } from "../sequences/initial-state.ts";
import type { SequenceSettings, StateSettings } from "../sequences/sequence-settings.ts";
import { checkWarmUpBytes, type WarmUp, type WarmUpInput } from "./warm-up-inputs.ts";

/** What of a version's settings its warm-ups follow from. */
export interface WarmUpSettings {
  readonly warmUps: readonly WarmUp[];
  readonly sequences: SequenceSettings | undefined;
}

/**
 * A warm-up that begins a sequence, where the version has some: states that it does not name are what they are before the first
 * request. Throws ARTIFACT_INVALID where the states do not fit the model, and REQUEST_INVALID where they are too large.
 */
export function withInitialStates(
  warmUp: WarmUp,
  { sequences }: Pick<WarmUpSettings, "sequences">,
  signature: Signature,
): WarmUp {
  const unnamed = (sequences?.states ?? []).filter(({ inputName }) => !warmUp.inputs.some(isOf(inputName)));
  const rowCount = Math.max(warmUp.rowCount, ...givenRowCounts(warmUp, signature));
  const states = unnamed.flatMap((state) => stateInput(state, rowCount, signature) ?? []);
  return { ...warmUp, inputs: [...warmUp.inputs, ...states] };
}

function stateInput(state: StateSettings, rowCount: number, { inputs }: Signature): WarmUpInput | undefined {
  const spec = inputs.find(isOf(state.inputName));
  // That there is no such input is found where the states are planned.
  if (spec === undefined) return undefined;
  const initial = initialState(state, spec);
  checkWarmUpBytes(initial.bytes(rowCount), spec.name);
  const { name, shape, bytes } = initial.tensor(rowCount);
  return { name, shape, bytes };
}

/** The rows of inputs whose shape the warm-up gives. */
function givenRowCounts(warmUp: WarmUp, { inputs }: Signature): readonly number[] {
  const withRows = inputs.filter(({ shape: [first] }) => typeof first === "string");
  return warmUp.inputs.flatMap(({ name, shape }) => (shape.length > 0 && withRows.some(isOf(name)) ? [shape[0]] : []));
}

function isOf(wanted: string): (one: { readonly name: string }) => boolean {
  return ({ name }) => name === wanted;
}
