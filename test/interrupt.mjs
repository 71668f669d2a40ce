import { constants } from "node:os";

/** The same signal may come again at once: from the terminal, from npm, from mocha's own parent process. */
const sameSignalMs = 500;

let interruptedMs = null;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    if (interruptedMs === null) {
      interruptedMs = performance.now();
      process.stderr.write("\nending after this test; once more ends at once\n");
    } else if (performance.now() - interruptedMs > sameSignalMs) {
      process.exit(128 + constants.signals[signal]);
    }
  });
}

/** Mocha alone would die of a signal without running hooks, and leave what they clean up: processes, folders. */
export const mochaHooks = {
  beforeEach() {
    if (interruptedMs !== null) throw new Error("interrupted");
  },
};
