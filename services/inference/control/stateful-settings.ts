import type { Decoupled__Output as Decoupled } from "../../../lib/gen/amaas/registry/v1/Decoupled.ts";
import type { SequenceBatching__Output as SequenceBatching } from "../../../lib/gen/amaas/registry/v1/SequenceBatching.ts";
import type { DecoupledSettings } from "../decoupled/decoupled-settings.ts";
import type { SequenceSettings } from "../sequences/sequence-settings.ts";

/** What a version keeps between the requests of a sequence, as the registry says. */
export function sequenceSettings(message: SequenceBatching): SequenceSettings {
  const { states, maxSequences, maxSequenceIdleMicroseconds } = message;
  return {
    states: states.map(({ inputName, outputName, initialShape, initialRaw }) => ({
      inputName,
      outputName,
      initialShape,
      initialRaw,
    })),
    sequencesMax: maxSequences,
    // Timers count in milliseconds: a shorter time is one of them.
    idleMs: Math.ceil(maxSequenceIdleMicroseconds / 1000),
  };
}

/** How a version answers one request many times, as the registry says. */
export function decoupledSettings({ lastOutput, maxResponses, feedbacks }: Decoupled): DecoupledSettings {
  return {
    lastOutput,
    responsesMax: maxResponses,
    feedbacks: feedbacks.map(({ outputName, inputName }) => ({ outputName, inputName })),
  };
}
