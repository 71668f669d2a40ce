import { join } from "node:path";
import { beside, type Goal, inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { durableDisk, registryCalls } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const rounds = 7;
const durationMs = 3000;
/** About what a version and the record of its change take. */
const recordBytes = 4096;
const goal: Goal = { of: "value", kind: "at least", bound: 500 };
const baselineOf = "appends of 4 KiB to a file, each on disk before the next";

/** How many versions are registered per second, every one of them on disk before it is acknowledged. */
export async function writes(place: Workplace): Promise<Measured[]> {
  const { address } = await startRegistry(place);
  const calls = registryCalls(place);
  const disk = durableDisk(place);
  const artifact = await calls.call("publish", address);
  const creating = { artifact, model: 0, durationMs };
  await calls.call("creationRate", address, { ...creating, inFlight: 1, durationMs: 100 });
  const figures = await inRounds(rounds, {
    appends: () => disk.call("appendRate", join(place.folder, "appended"), recordBytes, durationMs),
    inTurn: () => calls.call("creationRate", address, { ...creating, inFlight: 1 }),
    atOnce: () => calls.call("creationRate", address, { ...creating, inFlight: 16 }),
  });
  const unit = "1/s";
  return [
    { metric: "CreateVersion, 16 in flight", unit, runs: beside(figures.atOnce, figures.appends), baselineOf, goal },
    { metric: "CreateVersion, one after the other", unit, runs: beside(figures.inTurn, figures.appends), baselineOf },
  ];
}
