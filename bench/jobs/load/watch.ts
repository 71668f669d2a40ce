import { connect, type Socket } from "node:net";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import {
  callFrames,
  FrameReader,
  flag,
  frame,
  frameType,
  opening,
  setStream,
  wideWindowBytes,
  windowUpdate,
} from "../../harness/frames.ts";

const path = "/amaas.trainer.v1.TrainerService/WatchJob";
/** The only stream of a connection. */
const stream = 1;

let watching: readonly Watcher[] = [];

/** Watches a job from its beginning, so many times, each on a connection of its own; settles once all have asked for it. */
export async function watch(ask: { readonly port: number; readonly job: string; readonly count: number }) {
  const message = encodeMessage("trainer", "amaas.trainer.v1.WatchJobRequest", { name: ask.job });
  const call = callFrames(`127.0.0.1:${ask.port}`, path, message);
  setStream(call, stream);
  watching = Array.from({ length: ask.count }, () => new Watcher(ask.port, call));
  await Promise.all(watching.map((watcher) => watcher.asked));
}

/** How many events each of them has seen, once the job has ended; throws where one was missed, or came twice. */
export function counts(): Promise<number[]> {
  return Promise.all(watching.map((watcher) => watcher.count));
}

/** Reads the events of one call as they come and looks at nothing but their numbers, so that it costs far less than its server. */
class Watcher {
  readonly asked: Promise<void>;
  readonly count: Promise<number>;
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  /** What is there of a message that is not whole yet. */
  #rest: Buffer = Buffer.alloc(0);
  #seen = 0;

  constructor(port: number, call: Buffer) {
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    this.#socket = socket;
    this.asked = new Promise((asked) => {
      socket.once("connect", () => {
        socket.write(Buffer.concat([opening(), call, windowUpdate(wideWindowBytes, stream)]), () => asked());
      });
    });
    this.count = new Promise((settle, reject) => {
      socket.on("data", (bytes) => {
        try {
          if (this.#take(bytes)) settle(this.#seen);
        } catch (failure) {
          reject(failure);
        }
      });
      socket.once("error", reject);
      socket.once("close", () => reject(new Error(`a watcher was cut off behind event ${this.#seen}`)));
    });
    this.count.catch(() => undefined).finally(() => socket.destroy());
  }

  /** Whether the call has ended. */
  #take(bytes: Buffer): boolean {
    let isOver = false;
    for (const { type, flags, payload } of this.#frames.read(bytes)) {
      if (type === frameType.data) this.#messages(payload);
      else if (type === frameType.headers && flags & flag.endStream) isOver = true;
      else if ((type === frameType.settings || type === frameType.ping) && !(flags & flag.acknowledge))
        this.#socket.write(frame(type, flag.acknowledge, 0, type === frameType.ping ? payload : undefined));
    }
    return isOver;
  }

  #messages(payload: Buffer): void {
    let rest = this.#rest.length === 0 ? payload : Buffer.concat([this.#rest, payload]);
    while (rest.length >= prefixBytes && rest.length >= prefixBytes + rest.readUInt32BE(1)) {
      const end = prefixBytes + rest.readUInt32BE(1);
      const sequence = sequenceOf(rest.subarray(prefixBytes, end));
      if (sequence !== this.#seen + 1) throw new Error(`event ${sequence} came behind ${this.#seen}`);
      this.#seen = sequence;
      rest = rest.subarray(end);
    }
    this.#rest = rest;
  }
}

/** Of gRPC, before each message: a flag and the length. */
const prefixBytes = 5;

/** The number of an encoded JobEvent: its first field. */
function sequenceOf(event: Buffer): number {
  let sequence = 0;
  for (let index = 1; event[0] === sequenceTag && index < event.length; index++) {
    sequence += (event[index]! & 127) * 128 ** (index - 1);
    if (event[index]! < 128) return sequence;
  }
  throw new Error("an event begins with its sequence number");
}

/** Field 1, a varint. */
const sequenceTag = 8;
