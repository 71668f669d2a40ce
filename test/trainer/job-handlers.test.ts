import { expect } from "chai";
import { createLog } from "../../lib/log.ts";
import { type JobHandlerParts, jobHandlers } from "../../services/trainer/handlers/jobs.ts";
import type { Job } from "../../services/trainer/jobs/job.ts";

describe("a job that is asked for again", () => {
  const spec = { model: "models/a", dataset: `artifacts/${"a".repeat(64)}` };
  const known = {
    ...{ id: "j1", work: { kind: "train", spec }, requestId: "r", state: "SUCCEEDED", priority: 0 },
    ...{ attempts: 1, attemptsInVain: 0, createTimeMs: 1 },
  } as unknown as Job;

  it("is the one that its request id has made, whether it could be made now or not", async () => {
    // Nothing of what new work is checked with is there, nor is a new job made.
    const parts = { store: { findRequested: async (key: string) => (key === "same" ? known : undefined) }, work: {} };
    const handlers = jobHandlers(parts as unknown as JobHandlerParts);
    const call = { requestId: "r", log: createLog("test", "silent") };
    const create = async (requestId: string) =>
      handlers.CreateJob!({ job: { work: "train", train: spec, priority: 0 }, requestId } as never, call as never);
    expect(await create("same")).to.include({ name: "jobs/j1", state: "STATE_SUCCEEDED" });
    const other = await create("other").then(
      () => "made",
      () => "checked",
    );
    expect(other).to.equal("checked");
  });
});
