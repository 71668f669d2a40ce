import { fileURLToPath } from "node:url";
import { benchesIn, scenariosOf } from "./harness/benches.ts";
import type { Row } from "./harness/figures.ts";
import { tableOf, writeResults } from "./harness/report.ts";
import { runScenarios } from "./harness/run.ts";

const root = fileURLToPath(new URL(".", import.meta.resolve("#package.json")));
const benches = benchesIn(new URL("./", import.meta.url));

const enough = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => enough.abort());

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (failure) {
  // What a scenario still does must not keep this process.
  if (enough.signal.aborted) process.exit(130);
  throw failure;
}

/**
 * `NAME` runs a whole bench and keeps its results; `NAME SCENARIO…` runs some scenarios of it, to look at. Answers 1 where a scenario
 * failed: its row says why, and the others are measured all the same.
 */
async function main([name, ...wanted]: readonly string[]): Promise<number> {
  const known = [...benches.keys()].join(", ");
  if (name === undefined) {
    process.stdout.write(`npm run bench -- NAME runs one of: ${known}\n`);
    return 0;
  }
  const module = benches.get(name);
  if (module === undefined) return refuse(`unknown bench ${JSON.stringify(name)}, needed: ${known}`);
  const scenarios = await scenariosOf(module);
  const names = Object.keys(scenarios);
  const unknown = wanted.find((scenario) => !names.includes(scenario));
  if (unknown !== undefined)
    return refuse(`unknown scenario ${JSON.stringify(unknown)} of ${name}, needed: ${names.join(", ")}`);
  const options = { folder: `${root}.amaas`, env: process.env, tell, signal: enough.signal };
  const isWhole = wanted.length === 0;
  const chosen = Object.fromEntries((isWhole ? names : wanted).map((scenario) => [scenario, scenarios[scenario]!]));
  // After each scenario: what comes later may take long, and the machine down.
  const keep = (rows: readonly Row[]) => isWhole && tell(`written to ${writeResults(root, name, rows)}`);
  const { rows, areAllMeasured } = await runScenarios(chosen, options, keep);
  process.stdout.write(`${tableOf(rows)}\n`);
  return areAllMeasured ? 0 : 1;
}

function refuse(complaint: string): number {
  tell(complaint);
  return 1;
}

function tell(line: string): void {
  process.stderr.write(`amaas: ${line}\n`);
}
