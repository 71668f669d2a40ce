import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

const waitMsMax = 50_000;

/** The ids of the validator processes of a registry that runs in a process. */
export async function validatorsOf(parentId: number = process.pid): Promise<number[]> {
  const ids = (await readdir("/proc")).map(Number).filter((id) => id > 0);
  const found = await Promise.all(ids.map(async (id) => ((await isValidatorOf(id, parentId)) ? id : undefined)));
  return found.filter((id) => id !== undefined);
}

/** The id of a validator process that is none of these, once there is one, of a registry that runs in a process. */
export function nextValidator(known: readonly number[] = [], parentId: number = process.pid): Promise<number> {
  return eventually("a validator process", async () =>
    (await validatorsOf(parentId)).find((id) => !known.includes(id)),
  );
}

/** The same, once it has worked for a second: then it has started, and is in the midst of a model. */
export function busyValidator(known: readonly number[] = []): Promise<number> {
  return eventually("a validator at work", async () => {
    for (const id of await validatorsOf()) if (!known.includes(id) && (await workedMs(id)) > 1000) return id;
    return undefined;
  });
}

/** Settles when no process has this id any more; calls `meanwhile` before each look. */
export async function processGone(id: number, meanwhile: () => void = () => undefined): Promise<void> {
  await eventually(`the end of process ${id}`, async () => {
    meanwhile();
    const stat = await statOf(id);
    // One that nobody has asked how it ended is a zombie.
    return stat === undefined || stat[0] === "Z" || undefined;
  });
}

async function eventually<Answer>(what: string, ask: () => Promise<Answer | undefined>): Promise<Answer> {
  for (const endMs = Date.now() + waitMsMax; Date.now() < endMs; await setTimeout(10)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`no ${what} within ${waitMsMax / 1000} s`);
}

/** The time that the processor has given a process. */
async function workedMs(id: number): Promise<number> {
  const stat = await statOf(id);
  const ticksPerSecond = 100;
  return stat === undefined ? 0 : ((Number(stat[11]) + Number(stat[12])) / ticksPerSecond) * 1000;
}

/** The fields of proc(5)'s stat behind the name, from the state on; undefined where there is no such process. */
async function statOf(id: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${id}/stat`, "latin1").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function isValidatorOf(id: number, parentId: number): Promise<boolean> {
  const command = await readFile(`/proc/${id}/cmdline`, "latin1").catch(() => "");
  if (!command.includes("registry/validation/main")) return false;
  const [state, parent] = (await statOf(id)) ?? [];
  return state !== "Z" && parent === String(parentId);
}
