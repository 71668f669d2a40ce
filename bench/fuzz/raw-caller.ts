import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { FuzzInput } from "./inputs.ts";

/** What came of a call: the name of a gRPC status, or of what came in its place. */
export interface FuzzAnswer {
  readonly status: string;
  /** Whether that is an answer: a status, of gRPC or of HTTP. */
  readonly isAnswer: boolean;
  readonly detail: string;
}

/** A client of HTTP/2 that sends bodies as they are. Connects again after a loss. */
export class RawCaller {
  readonly #port: number;
  #session: ClientHttp2Session | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  call({ path, headers, body, isEndless }: FuzzInput): Promise<FuzzAnswer> {
    const stream = this.#connected().request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const answer = answerOf(stream, isEndless);
    stream.end(body);
    return answer;
  }

  close(): void {
    this.#session?.destroy();
  }

  #connected(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connect(`http://127.0.0.1:${this.#port}`);
      // Its streams tell.
      this.#session.on("error", () => undefined);
    }
    return this.#session;
  }
}

/** How long an answer may take; far longer than any does. */
const answerMsMax = 20_000;

function answerOf(stream: ClientHttp2Stream, isEndless: boolean): Promise<FuzzAnswer> {
  return new Promise((resolve) => {
    let answer: FuzzAnswer | undefined;
    const take = (headers: Record<string, unknown>) => {
      const { ":status": http, "grpc-status": code, "grpc-message": message } = headers;
      const detail = decodedText(String(message ?? ""));
      if (code !== undefined) answer = { status: names[Number(code)] ?? `code ${code}`, isAnswer: true, detail };
      else if (http !== undefined && http !== 200) answer = { status: `HTTP ${http}`, isAnswer: true, detail };
    };
    const timer = setTimeout(() => {
      answer = { status: "no answer in time", isAnswer: false, detail: "" };
      stream.close(constants.NGHTTP2_CANCEL);
    }, answerMsMax);
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("data", () => {
      if (!isEndless || answer !== undefined) return;
      answer = { status: "OK", isAnswer: true, detail: "" };
      stream.close(constants.NGHTTP2_CANCEL);
    });
    // It closes then, and says why.
    stream.on("error", () => undefined);
    stream.on("close", () => {
      clearTimeout(timer);
      resolve(answer ?? { status: `reset with ${stream.rstCode}`, isAnswer: false, detail: "" });
    });
  });
}

function decodedText(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

const names = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"],
  ...["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"],
  ...["INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"],
];
