import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { durationOf } from "../../lib/timestamp.ts";
import { checkLimits, checkpointPolicyOf } from "../../services/trainer/jobs/job-limits.ts";

const refused = (call: () => unknown, message: string) =>
  expect(call).to.throw(ServiceError, message).with.property("reason", "SPEC_INVALID");

describe("the limits of a job", () => {
  it("may be left out, or say as much memory and time as there can be", () => {
    checkLimits(null);
    checkLimits({ memoryBytes: 0, runTime: null });
    checkLimits({ memoryBytes: 2 ** 40, runTime: durationOf(24 * 24 * 3600 * 1000) });
  });

  it("are refused where nothing could keep them", () => {
    refused(
      () => checkLimits({ memoryBytes: -1, runTime: null }),
      "limits.memory_bytes is -1; needed: 0 for what the worker has, or 67108864 to",
    );
    refused(
      () => checkLimits({ memoryBytes: 0, runTime: durationOf(500) }),
      "limits.run_time is 0.5 s; needed: 1 s to",
    );
    const year = durationOf(365 * 24 * 3600 * 1000);
    refused(() => checkLimits({ memoryBytes: 0, runTime: year }), "limits.run_time is 31536000 s");
  });
});

describe("how often the state of a training is kept", () => {
  it("is every minute, or after so many steps, or so much time, or both", () => {
    expect(checkpointPolicyOf(null)).to.deep.equal({ everyMs: 60_000 });
    expect(checkpointPolicyOf({ everySteps: 7, every: null })).to.deep.equal({ everySteps: 7, everyMs: undefined });
    const both = { everySteps: 7, every: durationOf(1000) };
    expect(checkpointPolicyOf(both)).to.deep.equal({ everySteps: 7, everyMs: 1000 });
  });

  it("is refused where it is never, or nonsense", () => {
    refused(
      () => checkpointPolicyOf({ everySteps: 0, every: null }),
      "checkpoints is empty; needed: every_steps, or every",
    );
    refused(() => checkpointPolicyOf({ everySteps: -1, every: null }), "checkpoints.every_steps is -1");
    refused(() => checkpointPolicyOf({ everySteps: 0, every: durationOf(10) }), "checkpoints.every is 0.01 s");
  });
});
