import { appendFileSync } from "node:fs";
import Mocha from "mocha";

/**
 * Mocha's usual output, and the counts and what failed as a line of a file once the run is over (`--reporter-option file=…`). What
 * failed is a text for each: the whole title of the test or hook, and the stack or message of its error.
 */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const failed = [];
    runner.on("fail", (test, error) => failed.push(`${test.fullTitle()}\n${error?.stack ?? error}`));
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      appendFileSync(options.reporterOptions.file, `${JSON.stringify({ passes, failures, pending, failed })}\n`);
    });
  }
}
