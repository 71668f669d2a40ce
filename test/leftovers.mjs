import { readdirSync, readFileSync } from "node:fs";

/** How long what the tests have left may take to end by itself, in milliseconds. */
const graceMs = 30_000;

/**
 * Mocha alone would wait for ever for what a test has left behind: a socket, a timer, a process. A run that does not end by itself
 * fails, says what it was, and ends it.
 */
export const mochaHooks = {
  afterAll() {
    setTimeout(end, graceMs).unref();
  },
};

function end() {
  const children = descendantsOf(process.pid);
  const resources = process.getActiveResourcesInfo().join(", ");
  const processes = children.map(({ id, command }) => `\n  ${id} ${command}`).join("");
  process.stderr.write(`\nthe tests have left behind: ${resources}; processes:${processes || " none"}\n`);
  for (const { id } of children) kill(id);
  // After mocha's own listener, which sets how many tests have failed.
  process.on("exit", () => {
    process.exitCode = process.exitCode || 1;
  });
  process.exit();
}

function descendantsOf(parentId) {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap(processOf);
  const found = all.filter((one) => one.parentId === parentId);
  for (const parent of found) found.push(...all.filter((one) => one.parentId === parent.id));
  return found;
}

function processOf(id) {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "latin1");
    const [, parentId] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const command = readFileSync(`/proc/${id}/cmdline`, "latin1").replaceAll("\0", " ");
    return [{ id: Number(id), parentId: Number(parentId), command }];
  } catch {
    // It is gone.
    return [];
  }
}

function kill(id) {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // It is gone.
  }
}
