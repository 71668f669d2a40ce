import type { WarmUp, WarmUp__Output } from "../../../lib/gen/amaas/registry/v1/WarmUp.ts";
import { atMost, checkShape, checkText, invalid, whole, wordOf } from "./requests.ts";

/** Warm-ups as they are stored: bytes as base64. Throws REQUEST_INVALID with the path of the field that is beyond its bounds. */
export function checkedWarmUps(wanted: readonly WarmUp__Output[]): WarmUp[] {
  const warmUps = atMost("settings.warm_ups", wanted, 16).map(checkedWarmUp);
  const bytes = wanted.flatMap(({ inputs }) => inputs).reduce((sum, { raw }) => sum + raw.length, 0);
  if (bytes > rawBytesMax) throw invalid("settings.warm_ups.inputs.raw", `${bytes} bytes`, `at most ${rawBytesMax}`);
  return warmUps;
}

function checkedWarmUp({ kind, rows, count, inputs }: WarmUp__Output, index: number): WarmUp {
  const field = `settings.warm_ups[${index}]`;
  wordOf(`${field}.kind`, kind, "KIND_");
  whole(`${field}.rows`, rows, 0, 65_536);
  whole(`${field}.count`, count, 0, 1000);
  const names = inputs.map(({ name }) => name);
  const checked = atMost(`${field}.inputs`, inputs, 1024).map(({ name, shape, raw }, place) => {
    const path = `${field}.inputs[${place}]`;
    checkText(`${path}.name`, name, 1024);
    if (names.indexOf(name) < place) throw invalid(`${path}.name`, `${name} once more`, "each input once");
    checkShape(`${path}.shape`, shape, 0);
    return { name, shape, raw: Buffer.from(raw).toString("base64") };
  });
  return { kind, rows, count, inputs: checked };
}

/** Every node that holds the model is sent them. */
const rawBytesMax = 1024 ** 2;
