import { writeFileSync } from "node:fs";
import Mocha from "mocha";

/** Mocha's usual output, and the counts in a file once the run is over (`--reporter-option file=…`). */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      writeFileSync(options.reporterOptions.file, JSON.stringify({ passes, failures, pending }));
    });
  }
}
