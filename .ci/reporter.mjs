import { appendFileSync } from "node:fs";
import Mocha from "mocha";

/** Mocha's usual output, and the counts as a line of a file once the run is over (`--reporter-option file=…`). */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      appendFileSync(options.reporterOptions.file, `${JSON.stringify({ passes, failures, pending })}\n`);
    });
  }
}
