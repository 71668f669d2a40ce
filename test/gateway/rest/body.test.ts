import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { expect } from "chai";
import { RequestBytes } from "../../../services/gateway/admission/request-bytes.ts";
import { readBody } from "../../../services/gateway/rest/body.ts";

const bounds = { bytesMax: 100, idleMs: 10, msMax: 40 };

/** A request whose body is written by the test. */
function request(headers: Record<string, string> = {}) {
  const stream = Object.assign(new PassThrough(), { headers });
  return { stream, message: stream as unknown as IncomingMessage };
}

describe("the body of a request", () => {
  it("is what has come, and counts as held", async () => {
    const { stream, message } = request();
    const bytes = new RequestBytes(1000);
    const held = bytes.hold();
    const body = readBody(message, bounds, held);
    stream.write("ab");
    stream.end("c");
    expect((await body).toString()).to.equal("abc");
    expect(bytes.bytes).to.equal(3);
    held.release();
    expect(bytes.bytes).to.equal(0);
  });

  for (const [what, feed, message] of [
    ["none of it comes for a while", () => undefined, /^the body did not come in time; seen: 0 bytes of it$/],
    [
      "it comes byte by byte",
      (stream: PassThrough) => {
        const drip = setInterval(() => stream.write("x"), 2);
        stream.once("close", () => clearInterval(drip));
      },
      /^the body did not come in time; seen: \d+ bytes of it$/,
    ],
    ["it is too large", (stream: PassThrough) => stream.write("x".repeat(101)), /^the body has more than 100 bytes/],
    ["its caller goes away", (stream: PassThrough) => stream.destroy(), /^the caller cancelled the call$/],
  ] as const) {
    it(`is not waited for where ${what}`, async () => {
      const { stream, message: incoming } = request();
      const body = readBody(incoming, bounds, new RequestBytes(1000).hold());
      feed(stream);
      const failure = await body.then(
        () => undefined,
        (thrown: Error) => thrown,
      );
      stream.destroy();
      expect(failure?.message).to.match(message);
    });
  }

  it("is refused where others hold too much", async () => {
    const { stream, message } = request();
    const body = readBody(message, bounds, new RequestBytes(10).hold());
    stream.write("x".repeat(11));
    expect((await body.catch((thrown: Error) => thrown)).toString()).to.match(
      /the gateway already holds 0 bytes of requests/,
    );
  });
});
