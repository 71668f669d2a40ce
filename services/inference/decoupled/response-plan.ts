import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { linkOf, outputOf, unfit } from "../sequences/fits.ts";
import { asItIs, inOwnBuffer } from "../sequences/state-plan.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { bytesOf } from "../tensors/held-tensor.ts";
import type { DecoupledSettings, FeedbackSettings } from "./decoupled-settings.ts";

/** How the runs of one request follow from each other. */
export interface ResponsePlan {
  /** Responses to a request at most. */
  readonly responsesMax: number;
  /** A job that gives besides what is wanted also what the plan needs. */
  extended(job: InferenceJob): InferenceJob;
  /** Whether no run follows the one that gave these outputs of an extended job. */
  isLast(outputs: readonly Tensor[]): boolean;
  /** The extended job of the next run. */
  next(job: InferenceJob, outputs: readonly Tensor[]): InferenceJob;
}

/** Throws ARTIFACT_INVALID where the settings do not fit the model. `wantedName` is the name by which an output is wanted that is fed back. */
export function responsePlan(
  settings: DecoupledSettings,
  signature: Signature,
  wantedName: (outputName: string) => string = asItIs,
): ResponsePlan {
  const { lastOutput, responsesMax, feedbacks } = settings;
  checkFeedbacks(feedbacks, signature);
  if (lastOutput !== "") checkLastOutput(lastOutput, signature);
  const fedNames = feedbacks.map(({ outputName }) => wantedName(outputName));
  const needed = [...new Set([...(lastOutput === "" ? [] : [lastOutput]), ...fedNames])];
  return {
    responsesMax,
    extended: (job) => {
      const missing = needed.filter((name) => !job.outputNames.includes(name));
      return { ...job, outputNames: [...job.outputNames, ...missing], keepsInputs: true, responseIndex: 0 };
    },
    isLast: (outputs) => outputs.some(({ name, bytes }) => name === lastOutput && bytes.some((byte) => byte !== 0)),
    next: (job, outputs) => {
      const byName = new Map(outputs.map((output) => [output.name, output]));
      const fed = feedbacks.map(({ outputName, inputName }) => ({
        ...inOwnBuffer(byName.get(wantedName(outputName))!),
        name: inputName,
      }));
      const staying = job.inputs.filter(({ name }) => !fed.some((input) => input.name === name));
      const inputs = [...staying, ...fed];
      return { ...job, inputs, inputBytes: bytesOf(inputs), responseIndex: job.responseIndex! + 1 };
    },
  };
}

function checkFeedbacks(feedbacks: readonly FeedbackSettings[], signature: Signature): void {
  for (const [index, feedback] of feedbacks.entries()) linkOf(feedback, signature, `decoupled.feedbacks[${index}]`);
}

function checkLastOutput(name: string, { outputs }: Signature): void {
  const { dataType } = outputOf(name, outputs, "decoupled.last_output");
  if (/^(BOOL|U?INT\d+)$/.test(dataType)) return;
  throw unfit(`decoupled.last_output ${name} is ${dataType}; needed: BOOL or an integer`);
}
