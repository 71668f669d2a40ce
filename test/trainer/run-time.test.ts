import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { PrivateRedis } from "../private-redis.ts";
import { RunningQueue } from "./running-queue.ts";

describe("the time of a job", function () {
  this.timeout(30_000);
  const server = new PrivateRedis();
  let running: RunningQueue;

  before(async () => {
    await server.start();
    running = new RunningQueue(server.url);
    await running.start();
  });
  after(async () => {
    await running.stop();
    await server.stop();
  });

  it("is counted over all its attempts, whatever they do", async () => {
    const { id } = await running.submit();
    const counted: number[] = [];
    const keptMs = async (): Promise<number> => {
      const { ranMs } = await running.store.get(id);
      if (ranMs !== undefined) return ranMs;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return keptMs();
    };
    await running.startWorker(async ({ ranMs }) => {
      counted.push(ranMs());
      if (counted.length > 1) return {};
      counted.push(await keptMs());
      throw new ServiceError("WORKER_LOST", "its process was killed");
    });
    await running.reaches(id, "SUCCEEDED");
    const [begun, kept, again] = counted as [number, number, number];
    expect(begun).to.be.below(kept);
    expect(again).to.be.at.least(kept);
  });
});
