import { expect } from "chai";
import { type Reason, ServiceError } from "../../lib/errors.ts";
import { relayedFault, statusOf } from "../../lib/rpc/status.ts";

describe("a fault of another service is relayed", () => {
  const relayed = (reason: Reason) => relayedFault(statusOf(new ServiceError(reason, "why", { metadata: { a: "b" } })));

  it("as it is where it means the same to our caller, with what it names", () => {
    expect(relayed("ARTIFACT_INVALID")).to.deep.include({ reason: "ARTIFACT_INVALID", message: "why" });
    expect(relayed("ARTIFACT_INVALID").metadata).to.deep.equal({ a: "b" });
  });

  it("as SERVICE_UNAVAILABLE where the other service is away or has no room, which another attempt may find otherwise", () => {
    for (const reason of ["DRAINING", "SERVICE_UNAVAILABLE", "DEADLINE_EXCEEDED", "QUEUE_FULL"] as const) {
      expect(relayed(reason).reason, reason).to.equal("SERVICE_UNAVAILABLE");
    }
  });

  it("as INTERNAL where neither is so", () => {
    for (const reason of ["REVISION_NOT_FOUND", "INTERNAL"] as const) {
      expect(relayed(reason).reason, reason).to.equal("INTERNAL");
    }
  });
});
