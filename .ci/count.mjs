// node count.mjs FILE CHECK TESTS: the counts of the tests, and the exit codes of the check and of the test command. Before the
// counts it says again what failed, since that stands far above where only the end of an output is kept.
// A failed check is one failure; so are tests that ended without counts, or badly in spite of good ones.
import { readFileSync } from "node:fs";

const [file, check, tests] = process.argv.slice(2);
const counts = read(file);
const { passes, failures, pending, failed: texts } = counts ?? { passes: 0, failures: 0, pending: 0, failed: [] };
const endedBadly = counts === null || (tests !== "0" && failures === 0);
const failed = failures + (endedBadly ? 1 : 0) + (check === "0" ? 0 : 1);
for (const text of texts) console.log(`FAILED ${text}\n`);
if (endedBadly)
  console.log(`the test command ended with code ${tests}${counts === null ? " before it had counted" : ""}`);
if (check !== "0") console.log(`npm run check ended with code ${check}`);
console.log(`${passes} passed, ${failed} failed, ${pending} skipped`);
process.exitCode = failed === 0 && passes > 0 ? 0 : 1;

/** The sums of all lines; null where there is none, or one that is no JSON. */
function read(path) {
  try {
    const lines = readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const sum = (key) => lines.reduce((total, line) => total + line[key], 0);
    return {
      passes: sum("passes"),
      failures: sum("failures"),
      pending: sum("pending"),
      failed: lines.flatMap((line) => line.failed),
    };
  } catch {
    return null;
  }
}
