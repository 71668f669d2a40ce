import { deflateSync, gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { expanded } from "../../lib/rpc/expand.ts";
import { RequestBytes } from "../../services/gateway/admission/request-bytes.ts";

describe("what is compressed", () => {
  const bytes = Buffer.alloc(1_000_000, "abc");
  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail("it was expanded"),
      (failure: unknown) => failure,
    );

  it("is expanded, and counted as it is", async () => {
    const room = new RequestBytes(bytes.length);
    for (const [encoding, packed] of [["gzip", gzipSync(bytes)] as const, ["deflate", deflateSync(bytes)] as const]) {
      const held = room.hold();
      expect((await expanded(packed, encoding, bytes.length, held)).equals(bytes)).to.equal(true);
      expect(room.bytes).to.equal(bytes.length);
      held.release();
    }
  });

  it("is never expanded further than there is room, however many ask at the same time", async () => {
    const room = new RequestBytes(bytes.length);
    const packed = gzipSync(bytes);
    const faults = await Promise.all(
      Array.from({ length: 10 }, () => failureOf(expanded(packed, "gzip", bytes.length, room.hold()))),
    );
    for (const fault of faults) expect(fault).to.be.instanceOf(ServiceError).and.include({ reason: "QUEUE_FULL" });
    expect(room.bytes)
      .to.be.above(bytes.length - 10 * 16_384)
      .and.at.most(bytes.length);
  });

  it("is refused where it becomes too large, before it has, and where it is something else", async () => {
    const room = new RequestBytes(bytes.length);
    const fault = (await failureOf(expanded(gzipSync(bytes), "gzip", 100_000, room.hold()))) as ServiceError;
    expect(status[fault.status]).to.equal(status.RESOURCE_EXHAUSTED);
    expect(room.bytes).to.be.at.most(100_000);
    expect(await failureOf(expanded(bytes, "gzip", bytes.length, room.hold()))).to.be.instanceOf(Error);
  });
});
