import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runChild } from "./child.mjs";
import { StepFailed, tell } from "./console.mjs";
import { root } from "./root.mjs";
import { digest, stamp, stampOf, unstamp } from "./stamps.mjs";

const target = "dist";
const config = "tsconfig.build.json";

export function buildIsStale() {
  return stampOf(target) !== sourcesDigest();
}

/** Compiles what `tsconfig.build.json` includes into dist/, and removes the programs whose source is gone. */
export async function build() {
  tell("building");
  unstamp(target);
  const wanted = sourcesDigest();
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const code = await runChild(process.execPath, [compiler, "-p", config], { cwd: root });
  if (code > 128) throw new StepFailed("interrupted", code);
  if (code !== 0) throw new StepFailed("the build failed; the compiler's messages above say where");
  for (const folder of sourceFolders()) removeOrphans(`dist/${folder}`, folder);
  stamp(target, wanted);
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

function sourcesDigest() {
  const others = [config, "tsconfig.json", "package-lock.json"];
  return digest([...sourceFolders(), ...others], (name) => name.endsWith(".ts"));
}

function sourceFolders() {
  return JSON.parse(readFileSync(join(root, config), "utf8")).include;
}
