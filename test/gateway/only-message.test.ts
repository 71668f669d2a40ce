import type { ServerHttp2Stream } from "node:http2";
import { PassThrough } from "node:stream";
import { expect } from "chai";
import type { ServiceError } from "../../lib/errors.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { RequestBytes } from "../../services/gateway/admission/request-bytes.ts";
import { onlyMessage } from "../../services/gateway/call/messages.ts";

describe("the message of a call", () => {
  const read = async (idleMs: number, msMax: number, send: (stream: PassThrough) => Promise<void>) => {
    const stream = new PassThrough();
    const call = { stream: stream as unknown as ServerHttp2Stream, onOver: () => () => undefined };
    const message = onlyMessage(call, { bytesMax: 1000, idleMs, msMax }, new RequestBytes(1000).hold());
    const outcome = message.then(
      (bytes) => bytes.length,
      ({ reason }: ServiceError) => reason,
    );
    await send(stream);
    return outcome;
  };
  const drip = async (stream: PassThrough) => {
    for (const byte of framed(Buffer.alloc(20))) {
      stream.write(Buffer.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    stream.end();
  };

  it("may come in pieces", async () => {
    expect(await read(10_000, 10_000, drip)).to.equal(25);
  });

  it("is given up where it stands still, whole or not, whatever its deadline", async () => {
    const claim = framed(Buffer.alloc(10));
    for (const part of [claim.subarray(0, 3), claim.subarray(0, 12), claim])
      expect(await read(20, 10_000, async (stream) => void stream.write(part))).to.equal("REQUEST_TIMEOUT");
  });

  it("is given up where it drips for too long", async () => {
    expect(await read(10_000, 40, drip)).to.equal("REQUEST_TIMEOUT");
  });
});
