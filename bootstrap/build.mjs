import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundleServices } from "./bundle.mjs";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { root } from "./root.mjs";
import { digest, stamp, stampOf, unstamp } from "./stamps.mjs";

/** What can be compiled: with which configuration, of which other sources it is made, and the folder that vouches for it. */
const programs = { target: "dist", config: "tsconfig.build.json", uses: [] };
const tests = { target: "dist/test", config: "tsconfig.test.json", uses: foldersOf(programs) };

export const buildIsStale = () => isStale(programs);
export const testsAreStale = () => isStale(tests);

/** Compiles what `tsconfig.build.json` includes into dist/, removes the programs whose source is gone, and bundles those of the services. */
export async function build() {
  tell("building");
  await compile(programs);
}

/** Compiles the tests too: what they start needs no loader then. */
export async function buildTests() {
  tell("building the tests");
  await compile(tests);
}

function isStale(part) {
  return stampOf(part.target) !== digestOf(part);
}

async function compile(part) {
  unstamp(part.target);
  const wanted = digestOf(part);
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const code = await runChild(process.execPath, [compiler, "-p", part.config], { cwd: root });
  if (code > 128) throw new StepFailed("interrupted", code);
  if (code !== 0) throw new StepFailed("the build failed; the compiler's messages above say where");
  for (const folder of foldersOf(part)) removeOrphans(`dist/${folder}`, folder);
  await bundleServices();
  stamp(part.target, wanted);
}

/** Removes compiled files under `built` that have no TypeScript file under `source`. */
function removeOrphans(built, source) {
  const absolute = join(root, built);
  if (!existsSync(absolute)) return;
  for (const entry of readdirSync(absolute, { withFileTypes: true })) {
    const path = `${built}/${entry.name}`;
    if (entry.isDirectory()) {
      removeOrphans(path, `${source}/${entry.name}`);
      continue;
    }
    const name = entry.name.replace(/\.js(\.map)?$/, ".ts");
    if (name !== entry.name && !existsSync(join(root, source, name))) rmSync(join(root, path));
  }
}

function digestOf(part) {
  const others = [part.config, "tsconfig.build.json", "tsconfig.json", "package-lock.json", "bootstrap/bundle.mjs"];
  return digest([...foldersOf(part), ...part.uses, ...others], (name) => name.endsWith(".ts"));
}

function foldersOf({ config }) {
  return JSON.parse(readFileSync(join(root, config), "utf8")).include;
}
