import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

/** The name of a stamp, in the folder that it vouches for: whoever removes the result removes the stamp. */
const stampName = ".stamp";

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

/** The digest that a folder's content was last made for, or null. */
export function stampOf(result) {
  return contentOf(join(root, result, stampName)).toString() || null;
}

/** Withdraws a stamp: from here to `stamp` the folder's content is in the making. */
export function unstamp(result) {
  rmSync(join(root, result, stampName), { force: true });
}

/** Records that a folder's content now stands for a digest. */
export function stamp(result, value) {
  writeFileSync(join(root, result, stampName), value);
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
