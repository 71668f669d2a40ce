import { setTimeout as passed } from "node:timers/promises";
import type { TrainerServiceDefinition } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";

/** Calls on each connection. */
const callsPerConnection = 50;

let counting: Promise<number[]> = Promise.resolve([]);

/** Watches the next job that is created, so many times. */
export async function watchNewJobs({ address, count }: { readonly address: string; readonly count: number }) {
  const connect = () => new RpcClient<TrainerServiceDefinition>("amaas.trainer.v1.TrainerService", address);
  const clients = Array.from({ length: Math.max(1, Math.ceil(count / callsPerConnection)) }, connect);
  const newest = async () => (await clients[0]!.unary("ListJobs", { pageSize: 1 })).jobs[0]?.name;
  const before = await newest();
  counting = (async () => {
    try {
      let name = before;
      while (name === before) {
        await passed(20);
        name = await newest();
      }
      const watch = async (index: number) => {
        let events = 0;
        const client = clients[index % clients.length]!;
        for await (const _ of client.serverStream("WatchJob", { name: name! })) events++;
        return events;
      };
      return await Promise.all(Array.from({ length: count }, (_, index) => watch(index)));
    } finally {
      for (const client of clients) client.close();
    }
  })();
  counting.catch(() => undefined);
}

/** How many events each of them has seen, once the job has ended. */
export function counts(): Promise<number[]> {
  return counting;
}
