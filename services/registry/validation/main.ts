import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { startThread } from "../../../lib/start-thread.ts";
import type { GuardStart } from "./guard.ts";
import type { ValidatorReply, ValidatorTask } from "./protocol.ts";
import { tryOut } from "./trial.ts";

// The entry of a validator process: it validates one model after the other until its parent has gone. Arguments: the id of
// the parent, and how many bytes it may hold.
const [parentId, memoryBytesMax] = process.argv.slice(2).map(Number) as [number, number];
let tasks = 0;

process.on("disconnect", () => process.exit());
// Where memory runs short, the system ends this process before any other.
await writeFile("/proc/self/oom_score_adj", "1000").catch(() => undefined);
const guard = startThread(new URL("./guard", import.meta.url), {
  workerData: { parentId, memoryBytesMax } satisfies GuardStart,
});
await once(guard, "message");
guard.unref();
const startBytes = process.memoryUsage.rss();
process.on("message", (task: ValidatorTask) => void answer(task));
say({ kind: "ready" });

async function answer(task: ValidatorTask): Promise<void> {
  // A failure ends the process.
  const result = await tryOut(task, memoryBytesMax);
  globalThis.gc?.();
  const grownBytes = process.memoryUsage.rss() - startBytes;
  const isWorn = ++tasks >= tasksMax || grownBytes > grownBytesMax;
  say({ ...result, isWorn });
}

function say(reply: ValidatorReply): void {
  process.send?.(reply);
}

/** A process that has done so much, or grown so far, is worn: what models leave behind does not add up. */
const tasksMax = 100;
const grownBytesMax = 256 * 1024 ** 2;
