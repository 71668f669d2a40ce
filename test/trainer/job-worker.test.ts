import { once } from "node:events";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { JobEvent } from "../../services/trainer/jobs/job.ts";
import type { Running } from "../../services/trainer/queue/job-attempt.ts";
import { beginPublishing } from "../../services/trainer/work/publish.ts";
import { PrivateRedis } from "../private-redis.ts";
import { RunningQueue } from "./running-queue.ts";

const mebi = 1024 ** 2;
const hourMs = 3600 * 1000;

describe("a worker of jobs", function () {
  this.timeout(30_000);
  const server = new PrivateRedis();
  let running: RunningQueue;

  before(() => server.start());
  after(() => server.stop());
  beforeEach(async () => {
    running = new RunningQueue(server.url);
    await running.start();
  });
  const systemTime = Date.now;
  afterEach(async () => {
    Date.now = systemTime;
    await running.stop();
  });
  const setClock = (shiftMs: number) => {
    Date.now = () => systemTime() + shiftMs;
  };

  /** Does nothing until it has to stop. */
  const untilStopped = async ({ signal }: Running): Promise<never> => {
    if (!signal.aborted) await once(signal, "abort");
    throw signal.reason;
  };
  const thrownBy = (work: Promise<void>) =>
    work.then(
      () => expect.fail("it succeeded"),
      (failure: unknown) => failure,
    );
  const linesOf = (events: readonly JobEvent[]) =>
    events.flatMap((event) => (event.kind === "log" ? [event.line] : []));

  it("takes the jobs of the highest priority first and the older ones of these before the others, whatever they need", async () => {
    const [low, high, later, needy] = [
      await running.submit({}, 1),
      await running.submit({ limits: { memoryBytes: 100 * mebi } }, 1000),
      await running.submit({}, 1),
      await running.submit({ device: "DEVICE_CPU" }, 7),
    ];
    const begun: string[] = [];
    const worker = await running.startWorker(async ({ job }) => {
      begun.push(job.id);
      return {};
    });
    await running.reaches(later.id, "SUCCEEDED");
    await worker.stop();
    expect(begun).to.deep.equal([high, needy, low, later].map(({ id }) => id));
    expect(running.ended).to.include.members(begun);
  });

  it("goes by the priority that a job has got while it waited", async () => {
    const [first, second] = [await running.submit({}, 1), await running.submit({}, 1)];
    await running.store.setPriority(second.id, 2);
    await running.queue.reorder(await running.store.get(second.id));
    const begun: string[] = [];
    await running.startWorker(async ({ job }) => {
      begun.push(job.id);
      return {};
    });
    await running.reaches(first.id, "SUCCEEDED");
    expect(begun).to.deep.equal([second.id, first.id]);
  });

  it("leaves jobs that need another device or more memory than it has to workers that have it", async () => {
    const onGpu = await running.submit({ device: "DEVICE_CUDA" }, 9);
    const large = await running.submit({ limits: { memoryBytes: 2000 * mebi } }, 9);
    const small = await running.submit({ limits: { memoryBytes: 900 * mebi } });
    const begun: string[] = [];
    const worker =
      (name: string) =>
      async ({ job }: Running) => {
        begun.push(`${name} ${job.id}`);
        return {};
      };
    await running.startWorker(worker("little"), { offer: { devices: ["cpu"], memoryBytes: 1024 * mebi } });
    await running.reaches(small.id, "SUCCEEDED");
    await running.startWorker(worker("gpu"), { offer: { devices: ["cuda"], memoryBytes: 1024 * mebi } });
    await running.reaches(onGpu.id, "SUCCEEDED");
    await running.startWorker(worker("big"), { offer: { devices: ["cpu"], memoryBytes: 2048 * mebi } });
    await running.reaches(large.id, "SUCCEEDED");
    expect(begun).to.deep.equal([`little ${small.id}`, `gpu ${onGpu.id}`, `big ${large.id}`]);
  });

  it("runs as many jobs at the same time as it may, and no more", async () => {
    const jobs = await Promise.all(Array.from({ length: 6 }, () => running.submit()));
    let [atWork, most] = [0, 0];
    const meet = async () => {
      most = Math.max(most, ++atWork);
      while (most < 3) await new Promise(setImmediate);
      await new Promise((resolve) => setTimeout(resolve, 20));
      atWork--;
      return {};
    };
    await running.startWorker(meet, { concurrency: 3 });
    await Promise.all(jobs.map(({ id }) => running.reaches(id, "SUCCEEDED")));
    expect(most).to.equal(3);
  });

  it("keeps a job to itself for as long as it takes, whatever its clock is set to", async () => {
    const { id } = await running.submit();
    const lockMs = 1000;
    const lastsLonger = async ({ signal }: Running) => {
      for (const shiftMs of [24 * hourMs, -24 * hourMs]) {
        setClock(shiftMs);
        await new Promise((resolve) => setTimeout(resolve, lockMs));
      }
      signal.throwIfAborted();
      return {};
    };
    await running.startWorker(lastsLonger, { lockMs });
    await running.startWorker(lastsLonger, { lockMs });
    expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 1 });
  });

  describe("stops a job that is paused,", () => {
    it("and goes on with it only when it is resumed", async () => {
      const { id } = await running.submit();
      const reasons: string[] = [];
      await running.startWorker(async (attempt) => {
        if (attempt.job.attempts === 2) return {};
        return untilStopped(attempt).catch((reason: ServiceError) => {
          reasons.push(reason.reason);
          throw reason;
        });
      });
      await running.reaches(id, "RUNNING");
      await running.store.move(id, ["RUNNING"], "PAUSED");
      // The next one shows that the place is free.
      const next = await running.submit();
      await running.reaches(next.id, "RUNNING");
      await running.store.move(next.id, ["RUNNING"], "CANCELLED");
      expect(await running.reaches(id, "PAUSED")).to.include({ attempts: 1 });
      await running.store.move(id, ["PAUSED"], "PENDING");
      await running.queue.add(await running.store.get(id));
      expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 2 });
      expect(reasons).to.deep.equal(["JOB_PAUSED", "CANCELLED"]);
    });

    it("also where it is resumed while it is still being stopped", async () => {
      const { id } = await running.submit();
      await running.startWorker(async (attempt) => {
        if (attempt.job.attempts === 2) return {};
        return untilStopped(attempt).catch(async (reason) => {
          if ((await running.store.get(id)).state === "PAUSED") {
            await running.store.move(id, ["PAUSED"], "PENDING");
            await running.queue.add(await running.store.get(id));
          }
          throw reason;
        });
      });
      await running.reaches(id, "RUNNING");
      await running.store.move(id, ["RUNNING"], "PAUSED");
      expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 2 });
    });

    it("also where nobody saw that before it could not register its result, and it was resumed right then", async () => {
      running.changes.watch = () => () => undefined;
      const { id } = await running.submit();
      await running.startWorker(async (attempt) => {
        if (attempt.job.attempts === 2) return {};
        await running.store.move(id, ["RUNNING"], "PAUSED");
        const failure = await thrownBy(beginPublishing(running, attempt));
        await running.store.move(id, ["PAUSED"], "PENDING");
        await running.queue.add(await running.store.get(id));
        throw failure;
      });
      expect(await running.reaches(id, "SUCCEEDED", "FAILED")).to.include({ state: "SUCCEEDED", attempts: 2 });
    });

    it("keeps the checkpoint that it gives then, and none of an attempt that another has followed", async () => {
      const { id } = await running.submit();
      const checkpoint = { step: 7, timeMs: 1, artifact: "artifacts/ab" };
      let late: Promise<boolean> | undefined;
      await running.startWorker(async (attempt) => {
        if (attempt.job.attempts === 2) {
          late = running.store.keepCheckpoint({ id, attempts: 1 }, { ...checkpoint, step: 8 });
          expect(await running.store.progress({ id, attempts: 1 }, {} as never)).to.equal(false);
          await late;
          return {};
        }
        return untilStopped(attempt).catch(async (reason) => {
          await running.store.keepCheckpoint(attempt.job, checkpoint);
          throw reason;
        });
      });
      await running.reaches(id, "RUNNING");
      await running.store.move(id, ["RUNNING"], "PAUSED");
      while ((await running.store.get(id)).checkpoint === undefined) await new Promise(setImmediate);
      await running.store.move(id, ["PAUSED"], "PENDING");
      await running.queue.add(await running.store.get(id));
      expect(await running.reaches(id, "SUCCEEDED")).to.deep.include({ checkpoint });
      expect(await late).to.equal(false);
    });
  });

  describe("after a fault", () => {
    const unreachable = () => new ServiceError("SERVICE_UNAVAILABLE", "the registry is away");

    it("of the infrastructure, begins the job again, and tells watchers so", async () => {
      const { id } = await running.submit();
      const full = new ServiceError("DISK_FULL", "the disk is full");
      await running.startWorker(async ({ job }) => {
        if (job.attempts < 3) throw job.attempts === 1 ? unreachable() : full;
        return {};
      });
      expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 3 });
      expect(linesOf(await running.store.eventsAfter(id, 0, 100))).to.deep.equal([
        { level: "info", text: "begins" },
        { level: "warn", text: "interrupted: the registry is away; begins again after 10 ms" },
        { level: "info", text: "attempt 2 begins" },
        { level: "warn", text: "interrupted: the disk is full; begins again after 20 ms" },
        { level: "info", text: "attempt 3 begins" },
      ]);
    });

    it("of the infrastructure, begins the job again as soon where the clock is set back meanwhile", async () => {
      const { id } = await running.submit();
      await running.startWorker(async ({ job }) => {
        if (job.attempts === 2) return {};
        setClock(hourMs);
        throw unreachable();
      });
      while (linesOf(await running.store.eventsAfter(id, 0, 100)).length < 2) await running.changed(id);
      setClock(0);
      expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 2 });
    });

    it("of the infrastructure that stays, fails the job with it after so many attempts in a row as there may be", async () => {
      const { id } = await running.submit();
      await running.startWorker(async () => {
        throw unreachable();
      });
      const error = { reason: "SERVICE_UNAVAILABLE", message: "the registry is away" };
      expect(await running.reaches(id, "FAILED")).to.deep.include({ attempts: 3, error });
    });

    it("of the infrastructure, counts anew from a checkpoint on", async () => {
      const { id } = await running.submit();
      await running.startWorker(async ({ job }) => {
        if (job.attempts === 8) return {};
        const checkpoint = { step: job.attempts, timeMs: 1, artifact: "artifacts/ab" };
        if (job.attempts % 2 === 0) await running.store.keepCheckpoint(job, checkpoint);
        throw unreachable();
      });
      expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 8 });
    });

    it("of the job itself, fails it at once", async () => {
      const { id } = await running.submit();
      await running.startWorker(async () => {
        throw new ServiceError("TRAINING_DIVERGED", "the loss is NaN at step 3");
      });
      const error = { reason: "TRAINING_DIVERGED", message: "the loss is NaN at step 3" };
      expect(await running.reaches(id, "FAILED")).to.deep.include({ attempts: 1, error });
    });
  });

  it("gives a running job back when it stops, and that attempt is not one in vain", async () => {
    const { id } = await running.submit();
    const worker = await running.startWorker(untilStopped);
    await running.reaches(id, "RUNNING");
    await worker.stop();
    expect(await running.store.get(id)).to.include({ state: "RUNNING", attempts: 1, attemptsInVain: 0 });
    await running.startWorker(async () => ({}));
    expect(await running.reaches(id, "SUCCEEDED")).to.include({ attempts: 2 });
  });

  it("does not begin a job any more whose workers have died too often", async () => {
    const { id } = await running.submit();
    await running.store.move(id, ["PENDING"], "RUNNING", { attempts: 5, attemptsInVain: 3 });
    await running.startWorker(async () => expect.fail("it was begun"));
    expect((await running.reaches(id, "FAILED")).error).to.deep.equal({
      reason: "WORKER_LOST",
      message: "3 workers in a row died while they were at it, or could not go on",
    });
  });
});
