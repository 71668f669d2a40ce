import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";

const sessions: ClientHttp2Session[] = [];
const streams: ClientHttp2Stream[] = [];

/** Connects so often, and does nothing with it but answer pings. */
export async function connectMany(port: number, count: number): Promise<void> {
  while (sessions.length < count) {
    const some = Array.from({ length: Math.min(100, count - sessions.length) }, () =>
      connect(`http://127.0.0.1:${port}`),
    );
    await Promise.all(some.map((session) => once(session, "remoteSettings")));
    sessions.push(...some);
  }
}

/** Opens so many streams of inferences over the connections there are, sends one request on each, and reads no answer. */
export async function openStreams(port: number, count: number, request: string): Promise<void> {
  const message = Buffer.from(request, "base64");
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  await connectMany(port, count);
  for (let index = 0; index < count; index++) {
    const stream = sessions[index]!.request(
      {
        ":method": "POST",
        ":path": "/inference.GRPCInferenceService/ModelStreamInfer",
        "content-type": "application/grpc+proto",
        te: "trailers",
      },
      { endStream: false },
    );
    stream.write(frame);
    streams.push(stream.pause());
    await once(stream, "response");
  }
}

/** Whether all of it is still there. */
export function areConnected(): boolean {
  return sessions.every(({ destroyed, closed }) => !destroyed && !closed) && streams.every(({ closed }) => !closed);
}
