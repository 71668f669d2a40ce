import type { Measured } from "./figures.ts";

/** Where a scenario works. */
export interface Workplace {
  /** An empty folder on a real disk; it is removed in the end. */
  readonly folder: string;
  /** The environment for processes that it starts. */
  readonly env: NodeJS.ProcessEnv;
  /** One line for who waits. */
  tell(line: string): void;
  /** Runs at the end of the scenario, last things first, also if it fails. */
  atEnd(step: () => unknown): void;
}

/** Measures something. */
export type Scenario = (place: Workplace) => Promise<readonly Measured[]>;

/** What the module of a bench exports as `scenarios`: each by its name, in the order in which they run. */
export type Scenarios = Readonly<Record<string, Scenario>>;
