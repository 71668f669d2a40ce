import type { ServingSettings__Output as ServingSettings } from "../../../lib/gen/amaas/registry/v1/ServingSettings.ts";
import { JsonFields } from "./json-fields.ts";

type WarmUps = ServingSettings["warmUps"];
type Input = WarmUps[number]["inputs"][number];

/**
 * The field `model_warmup` of Triton's ModelConfig, undefined where it is not there. Where the first axis is a batch, `dims` do
 * not have it. Samples from files are refused: a node has no folder of the model.
 */
export function warmUpsOf(fields: JsonFields, isBatched: boolean): WarmUps | undefined {
  return fields.list("model_warmup", 16, (entry, path) =>
    JsonFields.read(entry, path, (sample) => sampleOf(sample, isBatched)),
  );
}

function sampleOf(fields: JsonFields, isBatched: boolean): WarmUps[number] {
  fields.text("name");
  const rows = fields.whole("batch_size", 1, 65_536) ?? 1;
  const count = fields.whole("count", 0, 1000) ?? 0;
  const inputs = [
    ...(fields.map("inputs", (input, name) => inputOf(input, name, isBatched ? [rows] : []))?.values() ?? []),
  ];
  const kinds = new Set(inputs.map(({ kind }) => kind));
  if (kinds.size > 1) throw fields.refuse("inputs", "zero_data for all, or random_data for all");
  return {
    kind: kinds.has("KIND_RANDOM") ? "KIND_RANDOM" : "KIND_ZEROS",
    rows,
    count,
    inputs: inputs.map(({ input }) => input),
  };
}

function inputOf(fields: JsonFields, name: string, batch: readonly number[]) {
  fields.text("data_type");
  const dims = fields.wholes("dims", 64, 1, 2 ** 31 - 1) ?? [];
  const isRandom = fields.flag("random_data") === true;
  if (fields.flag("zero_data") === true && isRandom) throw fields.refuse("zero_data", "nothing beside random_data");
  const input: Input = { name, shape: [...batch, ...dims], raw: Buffer.alloc(0) };
  return { input, kind: isRandom ? ("KIND_RANDOM" as const) : ("KIND_ZEROS" as const) };
}
