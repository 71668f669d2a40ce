import { type Goal, type Measured, median, type Run } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { registryCalls } from "./processes.ts";
import { startRegistry } from "./running-registry.ts";

const models = 10_000;
const versionsPerModel = 10;
/** One more model, of very many versions. */
const versionsOfOne = 20_000;
const pageSize = 100;
const rounds = 5;
const goal: Goal = { of: "ratio", kind: "at most", bound: 1.5 };
const baselineOf = "the first tenth of the same pages";

/** Whether the last pages of long lists come as fast as the first ones. */
export async function listing(place: Workplace): Promise<Measured[]> {
  const { address } = await startRegistry(place);
  const calls = registryCalls(place);
  const artifact = await calls.call("publish", address);
  const filling = { artifact, inFlight: 32 };
  place.tell(`registering ${models * versionsPerModel + versionsOfOne} versions`);
  const many = { ...filling, firstModel: 0, models, versionsPerModel };
  place.tell(`${models * versionsPerModel} took ${Math.round(await calls.call("fill", address, many))} s`);
  await calls.call("fill", address, { ...filling, firstModel: models, models: 1, versionsPerModel: versionsOfOne });
  const lists = {
    [`ListModels, a page of ${pageSize} of the last of ${models}`]: () => calls.call("listModels", address, pageSize),
    [`ListVersions, a page of ${pageSize} of the oldest of ${versionsOfOne}`]: () =>
      calls.call("listVersions", address, models, pageSize),
    [`ListVersions, all ${versionsPerModel} of one of the last of ${models} models`]: () =>
      calls.call("listVersionsOfEach", address, models),
  };
  const measured: Measured[] = [];
  for (const [metric, list] of Object.entries(lists)) {
    await list();
    const runs: Run[] = [];
    for (let round = 0; round < rounds; round++) runs.push(lastBesideFirst(await list()));
    measured.push({ metric, unit: "ms", runs, baselineOf, goal });
  }
  return measured;
}

/** The median page of the last tenth beside that of the first. */
function lastBesideFirst(timesMs: readonly number[]): Run {
  const tenth = Math.ceil(timesMs.length / 10);
  return { value: median(timesMs.slice(-tenth)), baseline: median(timesMs.slice(0, tenth)) };
}
