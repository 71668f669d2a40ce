import type { ManualClock } from "../manual-clock.ts";
import { emptyFolder, type RunningRegistry, startRegistry } from "./running-registry.ts";

/** A registry for each test of a suite, in a folder of its own; it may be started several times. */
export interface OwnRegistry {
  readonly folder: string;
  /** The one that was started last. */
  readonly running: RunningRegistry;
  start(settings?: Readonly<Record<string, string>>, clock?: ManualClock): Promise<RunningRegistry>;
}

/** To be called in a suite: what its tests start is stopped after each. */
export function ownRegistry(): OwnRegistry {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry | undefined;

  beforeEach(async () => {
    folder = await emptyFolder();
  });

  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await folder.remove();
  });

  return {
    get folder() {
      return folder.path;
    },
    get running() {
      return running!;
    },
    start: async (settings = {}, clock) => {
      running = await startRegistry(folder.path, settings, clock);
      return running;
    },
  };
}
