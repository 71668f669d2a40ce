import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.ts";
import { type Row, rowOf, unmeasuredRow } from "./figures.ts";
import type { Scenario, Scenarios, Workplace } from "./scenario.ts";

/** Where a run works, and whom it tells. */
export interface RunOptions {
  /** Where the folders of scenarios are made: on a real disk, since some measure how fast it is. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  tell(line: string): void;
  /** Aborted when the user has had enough: what was started ends, and the run fails. */
  readonly signal: AbortSignal;
}

/** What has come of several scenarios. */
export interface RunResult {
  readonly rows: readonly Row[];
  /** Whether none has failed. */
  readonly areAllMeasured: boolean;
}

/**
 * Runs scenarios one after the other; one that fails leaves a row that says why, and the others run all the same. `keep` is given what
 * there is after each.
 */
export async function runScenarios(
  scenarios: Scenarios,
  options: RunOptions,
  keep: (rows: readonly Row[]) => unknown,
): Promise<RunResult> {
  const rows: Row[] = [];
  let areAllMeasured = true;
  for (const [name, scenario] of Object.entries(scenarios)) {
    options.tell(`${name} …`);
    try {
      rows.push(...(await runScenario(scenario, options)));
    } catch (failure) {
      if (options.signal.aborted) throw failure;
      areAllMeasured = false;
      const reason = messageOf(failure);
      options.tell(`${name} could not be measured: ${reason}`);
      // The rest is where it was thrown.
      rows.push(unmeasuredRow(name, reason.split("\n", 1)[0]!));
    }
    keep(rows);
  }
  return { rows, areAllMeasured };
}

/** Runs one scenario in an empty folder, and leaves nothing behind. */
async function runScenario(scenario: Scenario, { folder, env, tell, signal }: RunOptions): Promise<Row[]> {
  await mkdir(folder, { recursive: true });
  const own = await mkdtemp(join(folder, "bench-"));
  const ends: (() => unknown)[] = [];
  const place: Workplace = { folder: own, env, tell, atEnd: (step) => ends.push(step) };
  const enough = new Promise<never>((_, fail) => {
    signal.addEventListener("abort", () => fail(new Error("interrupted")), { once: true });
  });
  try {
    const measured = await Promise.race([scenario(place), enough]);
    return measured.map(rowOf);
  } finally {
    for (const end of ends.toReversed()) await Promise.resolve(end()).catch((failure: Error) => tell(failure.message));
    await rm(own, { recursive: true, force: true });
  }
}
