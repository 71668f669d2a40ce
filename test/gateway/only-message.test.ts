import { expect } from "chai";
import type { ServiceError } from "../../lib/errors.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { RequestBytes } from "../../services/gateway/admission/request-bytes.ts";
import { type CallEnd, CallOver } from "../../services/gateway/call/call-end.ts";
import type { RequestReader } from "../../services/gateway/call/incoming-call.ts";
import { onlyMessage } from "../../services/gateway/call/messages.ts";
import { cancelled } from "../../services/gateway/call/patience.ts";

/** A caller, and whether anybody reads what it sends. */
interface Sender {
  reader: RequestReader;
  isRead: boolean;
  leave: (why: CallEnd) => void;
}

describe("the message of a call", () => {
  const read = async (idleMs: number, msMax: number, send: (sender: Sender) => Promise<void> | void) => {
    const sender: Sender = { reader: { onData: () => {}, onEnd: () => {} }, isRead: false, leave: () => {} };
    const call = {
      read: (reader: RequestReader) => Object.assign(sender, { reader, isRead: true }),
      stopReading: () => Object.assign(sender, { isRead: false }),
      onOver: (leave: Sender["leave"]) => {
        sender.leave = leave;
        return () => undefined;
      },
    };
    const message = onlyMessage(call, { bytesMax: 1000, idleMs, msMax }, new RequestBytes(1000).hold());
    const outcome = message.then(
      (bytes) => bytes.length,
      (fault: ServiceError | CallOver) => (fault instanceof CallOver ? "over" : fault.reason),
    );
    await send(sender);
    const seen = await outcome;
    expect(sender.isRead).to.equal(false);
    return seen;
  };
  const drip = async ({ reader }: Sender) => {
    for (const byte of framed(Buffer.alloc(20))) {
      reader.onData(Buffer.of(byte), false);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    reader.onEnd();
  };

  it("may come in pieces", async () => {
    expect(await read(10_000, 10_000, drip)).to.equal(25);
  });

  it("is refused as soon as there is more of it than it says, and no more of it is read", async () => {
    const more = ({ reader }: Sender) =>
      reader.onData(Buffer.concat([framed(Buffer.alloc(10)), Buffer.alloc(1)]), false);
    expect(await read(10_000, 10_000, more)).to.equal("REQUEST_INVALID");
    const claim = ({ reader }: Sender) => reader.onData(framed(Buffer.alloc(1001)).subarray(0, 5), false);
    expect(await read(10_000, 10_000, claim)).to.equal("REQUEST_TOO_LARGE");
  });

  it("is given up where nobody waits for its answer any longer", async () => {
    expect(await read(10_000, 10_000, ({ leave }) => leave(cancelled))).to.equal("over");
  });

  it("is given up where it stands still, whole or not, whatever its deadline", async () => {
    const claim = framed(Buffer.alloc(10));
    for (const part of [claim.subarray(0, 3), claim.subarray(0, 12), claim])
      expect(await read(20, 10_000, ({ reader }) => reader.onData(part, false))).to.equal("REQUEST_TIMEOUT");
    expect(await read(20, 10_000, () => undefined)).to.equal("REQUEST_TIMEOUT");
  });

  it("is given up where it drips for too long", async () => {
    expect(await read(10_000, 40, drip)).to.equal("REQUEST_TIMEOUT");
  });
});
