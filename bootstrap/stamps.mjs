import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

const folder = join(root, "dist", ".stamps");

/**
 * One digest over the names and contents of files, and whatever else the result depends on.
 *
 * `sources` are files or folders under the root; of folders every file counts whose name `accepts`. What is missing counts
 * as missing, so that adding or removing it changes the digest.
 */
export function digest(sources, accepts, ...others) {
  const hash = createHash("sha256");
  for (const file of sources.flatMap((source) => filesOf(source, accepts))) {
    hash.update(`\n${file}\n`).update(contentOf(join(root, file)));
  }
  return hash.update(JSON.stringify(others)).digest("hex");
}

/** The digest that a step's last success left, or null. */
export function stampOf(step) {
  return contentOf(join(folder, step)).toString() || null;
}

/** Forgets a step's last success: from here to `stamp` its result is in the making. */
export function unstamp(step) {
  rmSync(join(folder, step), { force: true });
}

/** Records that a step's result now stands for a digest. */
export function stamp(step, value) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, step), value);
}

function filesOf(source, accepts) {
  let entries;
  try {
    entries = readdirSync(join(root, source), { withFileTypes: true });
  } catch {
    return [source];
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${source}/${entry.name}`;
      if (entry.isDirectory()) return filesOf(path, accepts);
      return accepts(entry.name) ? [path] : [];
    });
}

function contentOf(file) {
  try {
    return readFileSync(file);
  } catch (failure) {
    if (failure.code === "ENOENT") return Buffer.alloc(0);
    throw failure;
  }
}
