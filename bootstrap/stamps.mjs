import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

const stamps = join(root, "dist", ".stamps");

/**
 * One digest over the names and contents of files, and over `others` that the result depends on.
 *
 * `sources` are files or folders under `folder`; of folders every file counts whose name `accepts`. A missing file counts as
 * an empty one.
 */
export function digest(sources, accepts, { folder = root, others = [] } = {}) {
  const hash = createHash("sha256").update(JSON.stringify(others));
  for (const file of sources.flatMap((source) => filesOf(folder, source, accepts))) {
    const content = contentOf(join(folder, file));
    hash.update(`\n${file} ${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

/** The digest that a step's last success left, or null. */
export function stampOf(step) {
  return contentOf(join(stamps, step)).toString() || null;
}

/** Forgets a step's last success: from here to `stamp` its result is in the making. */
export function unstamp(step) {
  rmSync(join(stamps, step), { force: true });
}

/** Records that a step's result now stands for a digest. */
export function stamp(step, value) {
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, step), value);
}

function filesOf(folder, source, accepts) {
  let entries;
  try {
    entries = readdirSync(join(folder, source), { withFileTypes: true });
  } catch {
    return [source];
  }
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = `${source}/${entry.name}`;
      if (entry.isDirectory()) return filesOf(folder, path, accepts);
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
