import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Row, rowOf } from "./figures.ts";
import type { Scenario, Workplace } from "./scenario.ts";

/** Where a run works, and whom it tells. */
export interface RunOptions {
  /** Where the folders of scenarios are made: on a real disk, since some measure how fast it is. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  tell(line: string): void;
  /** Aborted when the user has had enough: what was started ends, and the run fails. */
  readonly signal: AbortSignal;
}

/** Runs one scenario in an empty folder, and leaves nothing behind. */
export async function runScenario(scenario: Scenario, { folder, env, tell, signal }: RunOptions): Promise<Row[]> {
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
