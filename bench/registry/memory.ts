import type { Measured } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { registryCalls, transfers } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const mib = 1024 ** 2;
/** 16384 × 16384 numbers of four bytes. */
const file = { width: 16_384, sizeBytes: 1024 ** 3 };
const files = 3;
const baselineOf = "the registry before";

/** The most memory that the registry ever has while a model of 3 GiB comes, is validated, and goes. */
export async function memory(place: Workplace): Promise<Measured[]> {
  const { address, pid } = await startRegistry(place);
  const client = transfers(place);
  const before = (await residentOf(pid)).nowBytes / mib;
  const weights: string[] = [];
  for (let index = 0; index < files; index++) {
    const content = { stamp: index + 1, sizeBytes: file.sizeBytes };
    weights.push((await client.call("upload", address, content)).sha256);
  }
  const uploaded = (await residentOf(pid)).peakBytes / mib;
  await registryCalls(place).call("registerLarge", address, { width: file.width, weights });
  const validated = (await residentOf(pid)).peakBytes / mib;
  for (const sha256 of weights) await client.call("download", address, sha256);
  const downloaded = (await residentOf(pid)).peakBytes / mib;
  const metric = `resident memory at most, a model of ${files} GiB`;
  const row = (phase: string, value: number) => ({
    metric: `${metric} ${phase}`,
    unit: "MiB",
    runs: [{ value, baseline: before }],
    baselineOf,
  });
  return [
    row("uploaded", uploaded),
    row("and validated", validated),
    { ...row("and downloaded", downloaded), goal: { of: "value", kind: "at most", bound: 200 } },
  ];
}
