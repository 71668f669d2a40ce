import { readdir, readFile } from "node:fs/promises";

const waitMsMax = 10_000;

/** The ids of the validator processes of a registry that runs in a process. */
export async function validatorsOf(parentId: number = process.pid): Promise<number[]> {
  const ids = (await readdir("/proc")).map(Number).filter((id) => id > 0);
  const found = await Promise.all(ids.map(async (id) => ((await isValidatorOf(id, parentId)) ? id : undefined)));
  return found.filter((id) => id !== undefined);
}

/** The id of a validator process that is none of these, once there is one. */
export async function nextValidator(known: readonly number[] = []): Promise<number> {
  for (const endMs = Date.now() + waitMsMax; Date.now() < endMs; ) {
    const next = (await validatorsOf()).find((id) => !known.includes(id));
    if (next !== undefined) return next;
  }
  throw new Error("no validator process was started");
}

/** Settles when no process has this id any more. */
export async function processGone(id: number): Promise<void> {
  for (const endMs = Date.now() + waitMsMax; Date.now() < endMs; ) {
    const stat = await readFile(`/proc/${id}/stat`, "latin1").catch(() => undefined);
    // One that nobody has asked how it ended is a zombie.
    if (stat === undefined || / Z /.test(stat)) return;
  }
  throw new Error(`process ${id} still runs`);
}

async function isValidatorOf(id: number, parentId: number): Promise<boolean> {
  const read = (name: string) => readFile(`/proc/${id}/${name}`, "latin1").catch(() => "");
  if (!(await read("cmdline")).includes("registry/validation/main")) return false;
  return new RegExp(`^\\d+ \\(.*\\) [^Z] ${parentId} `).test(await read("stat"));
}
