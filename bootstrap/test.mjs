import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tell } from "./console.mjs";
import { root } from "./root.mjs";

/**
 * Runs the tests with `mocha`, a function of arguments and options that answers the exit code: all of them as two runs side by
 * side, since one leaves half of the processor idle; those that the arguments choose as one.
 */
export async function test(args, mocha) {
  if (args.some(chooses)) return mocha(args.map(compiled), {});
  const files = testFiles();
  const folder = mkdtempSync(join(tmpdir(), "amaas-tests-"));
  const output = openSync(join(folder, "output"), "w");
  try {
    tell("most tests of registry, trainer and supervisor run beside all others; they are printed at the end");
    const codes = await Promise.all([
      mocha([...args, ...files.filter((file) => !isApart(file))], {}),
      mocha([...args, ...files.filter(isApart)], { stdio: output }),
    ]);
    process.stdout.write(readFileSync(join(folder, "output")));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    closeSync(output);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether an argument says which tests to run. */
function chooses(arg) {
  return /\.test\.(ts|mjs)$|^-[gf]$|^--f?grep\b/.test(arg);
}

function testFiles() {
  return readdirSync(join(root, "test"), { recursive: true })
    .filter((file) => /\.test\.(ts|mjs)$/.test(file))
    .map((file) => compiled(`test/${file}`))
    .sort();
}

/** What is run of a test: tests are compiled, so that all that they start is too. */
function compiled(arg) {
  return arg.replace(/^(?:\.\/)?(test\/.*)\.ts$/, "dist/$1.js");
}

/** About half of the work. */
function isApart(file) {
  return /^dist\/test\/(registry\/[a-t]|supervisor\/|trainer\/)/.test(file);
}
