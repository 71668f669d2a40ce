import { type ClientHttp2Session, connect } from "node:http2";
import { quantile } from "../../harness/figures.ts";
import { inferPath } from "../../inference/requests.ts";

/** Calls of one method, over and over, by Node's own HTTP/2, which keeps to every window. */
export interface Http2Load {
  readonly port: number;
  /** The encoded request as base64. */
  readonly request: string;
  readonly connections: number;
  readonly inFlight: number;
  readonly durationMs: number;
}

/** Calls as fast as the server answers. Throws if a call fails. */
export async function rate({ port, request, connections, inFlight, durationMs }: Http2Load) {
  const message = Buffer.from(request, "base64");
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  const sessions = Array.from({ length: connections }, () => {
    const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
    session.once("connect", () => session.setLocalWindowSize(windowBytes));
    return session;
  });
  const timesMs: number[] = [];
  const beginMs = performance.now();
  const callers = Array.from({ length: inFlight }, async (_, place) => {
    while (performance.now() - beginMs < durationMs) {
      const callMs = performance.now();
      await call(sessions[place % connections]!, frame);
      timesMs.push(performance.now() - callMs);
    }
  });
  await Promise.all(callers);
  const seconds = (performance.now() - beginMs) / 1000;
  for (const session of sessions) session.close();
  return { calls: timesMs.length, seconds, p50Ms: quantile(timesMs, 0.5), p99Ms: quantile(timesMs, 0.99) };
}

function call(session: ClientHttp2Session, frame: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": inferPath,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    let bytes = 0;
    let status: unknown;
    stream.on("response", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("trailers", (headers) => {
      status = headers["grpc-status"];
    });
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on("error", reject);
    stream.on("end", () =>
      status === "0" && bytes > 0 ? resolve() : reject(new Error(`status ${status}, ${bytes} bytes`)),
    );
    stream.end(frame);
  });
}

const windowBytes = 4 * 1024 ** 2;
