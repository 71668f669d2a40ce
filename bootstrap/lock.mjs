import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tell } from "./console.mjs";
import { root } from "./root.mjs";

const heartbeatMs = 2_000;
/** A holder that has not shown a heartbeat for so long is gone. */
const staleMs = 30_000;
const retryMs = { least: 50, most: 250 };

/**
 * Runs `work` while no other bootstrap of this checkout runs its own.
 *
 * Everyone who wants the lock first puts a file with a name of its own into the folder and only then looks at the others:
 * of two at once, at least one sees the other and steps back. A holder that died is known by its process id, or on
 * another machine by the missing heartbeat.
 */
export async function locked(work, folder = join(root, "dist", ".lock")) {
  const mine = `${hostname()}:${process.pid}`;
  const file = join(folder, mine);
  let waited = false;
  for (;;) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, "");
    const holder = readdirSync(folder).find((name) => name !== mine && isHeld(join(folder, name), name));
    if (holder === undefined) break;
    rmSync(file, { force: true });
    if (!waited) tell(`waiting for another set-up of this checkout (process ${holder.split(":").pop()})`);
    waited = true;
    await sleep(retryMs.least + Math.random() * (retryMs.most - retryMs.least));
  }
  const heartbeat = setInterval(() => writeFileSync(file, ""), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(file, { force: true });
  }
}

/** Whether a lock file's owner still works; the file of one that does not is removed. */
function isHeld(file, name) {
  const state = statSync(file, { throwIfNoEntry: false });
  if (state === undefined) return false;
  const [host, pid] = name.split(":");
  if (Date.now() - state.mtimeMs < staleMs && (host !== hostname() || isAlive(Number(pid)))) return true;
  rmSync(file, { force: true });
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (failure) {
    return failure.code === "EPERM";
  }
}
