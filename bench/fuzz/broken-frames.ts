import { connect } from "node:net";
import { Random } from "../../lib/random.ts";
import { callFrames, flag, frame, frameType, opening, setStream } from "../harness/frames.ts";
import { inferPath } from "../inference/requests.ts";
import { randomBytes } from "./mutations.ts";

/** What is sent on a connection of its own, after which the server may close it. */
type Breach = (random: Random) => Buffer;

const opened = (...frames: readonly Buffer[]) => Buffer.concat([opening(), ...frames]);
const continuation = 9;

const breaches: readonly Breach[] = [
  (random) => randomBytes(random.below(500), random),
  (random) => opened(randomBytes(random.below(500), random)),
  () => Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  () => opening().subarray(0, 10),
  (random) => opened(frame(random.below(256), random.below(256), random.below(2 ** 31), randomBytes(20, random))),
  // A frame of 16 MiB of which nothing comes.
  () => opened(Buffer.from([0xff, 0xff, 0xff, frameType.data, 0, 0, 0, 0, 1])),
  () => opened(frame(frameType.headers, flag.endHeaders, 0, Buffer.from([0x83]))),
  () => opened(frame(frameType.headers, flag.endHeaders, 2, Buffer.from([0x83]))),
  (random) => opened(frame(frameType.headers, flag.endHeaders, 1, randomBytes(30, random))),
  () => opened(frame(frameType.headers, 0, 1, Buffer.from([0x83])), frame(frameType.data, 0, 1)),
  () => opened(frame(continuation, flag.endHeaders, 1, Buffer.from([0x83]))),
  () => opened(frame(frameType.data, 0, 7, Buffer.alloc(10))),
  () => opened(frame(frameType.resetStream, 0, 9, Buffer.alloc(4))),
  () => opened(frame(frameType.settings, 0, 0, Buffer.alloc(5))),
  () => opened(frame(frameType.settings, flag.acknowledge, 0, Buffer.alloc(6))),
  () => opened(...Array<Buffer>(5000).fill(frame(frameType.settings, 0, 0))),
  () => opened(...Array<Buffer>(5000).fill(frame(frameType.ping, 0, 0, Buffer.alloc(8)))),
  () => opened(frame(frameType.ping, 0, 0, Buffer.alloc(7))),
  () => opened(frame(frameType.windowUpdate, 0, 0, Buffer.alloc(4))),
  () => opened(frame(frameType.goAway, 0, 0, Buffer.alloc(3))),
  // Calls that are given up as soon as they are made.
  () => opened(...Array.from({ length: 500 }, (_, index) => abandoned(2 * index + 1))),
  // A call in the middle of which the connection ends.
  (random) => {
    const call = callFrames("127.0.0.1", inferPath, randomBytes(100, random));
    setStream(call, 1);
    return opened(call.subarray(0, random.below(call.length)));
  },
];

/** Breaks HTTP/2 in one of all ways, chosen by the number. Settles once the connection is closed. */
export async function breach(port: number, seed: number, index: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  // The server may be faster than what is sent to it.
  socket.on("error", () => undefined);
  socket.resume();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.end(breaches[index % breaches.length]!(new Random(seed, `breach ${index}`)));
  const timer = setTimeout(() => socket.destroy(), closeMsMax);
  await closed;
  clearTimeout(timer);
}

/** A server need not close at once. */
const closeMsMax = 200;

function abandoned(stream: number): Buffer {
  const call = callFrames("127.0.0.1", inferPath, Buffer.alloc(10));
  setStream(call, stream);
  return Buffer.concat([call, frame(frameType.resetStream, 0, stream, Buffer.from([0, 0, 0, 8]))]);
}
