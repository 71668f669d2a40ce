import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type ServiceName, suiteConfig } from "../../supervisor/config.ts";
import { Suite } from "../../supervisor/suite.ts";
import { loaderArgs } from "../repository.ts";
import type { FakeSuite } from "./fake-suite.ts";

/** What a supervisor that was killed has left running. */
export interface Orphans {
  readonly redis: number;
  readonly services: readonly number[];
}

/** Starts a suite in a process of its own and kills that process alone, as `kill -9` does. */
export async function killedSupervisor(fake: FakeSuite): Promise<Orphans> {
  const { env } = fake.config();
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(fake.programs)], {
    env,
    execArgv: [...loaderArgs],
  });
  const [orphans] = (await once(child, "message")) as [Orphans];
  child.kill("SIGKILL");
  await once(child, "exit");
  return orphans;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pids = new Map<string, number>();
  const programs: Record<ServiceName, string> = JSON.parse(process.argv[2]!);
  const suite = new Suite(suiteConfig(process.env), {
    programs,
    onChange: (name, state) => state.kind === "running" && pids.set(name, state.pid),
  });
  await suite.start();
  const { redis, ...services } = Object.fromEntries(pids);
  process.send?.({ redis, services: Object.values(services) });
}
