import { type FuzzInput, inputAt } from "./inputs.ts";
import { RawCaller } from "./raw-caller.ts";

/** Which calls are made. */
export interface FuzzRun {
  readonly port: number;
  readonly seed: number;
  /** The number of the first call. */
  readonly first: number;
  readonly count: number;
}

/** What came of calls. */
export interface FuzzOutcome {
  readonly messages: number;
  /** How many calls had each status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Calls that had none: which, and what came in its place. */
  readonly unanswered: readonly string[];
  /** Calls that were answered as if the fault were the server's. */
  readonly blamed: readonly string[];
}

/**
 * What gRPC itself says INTERNAL of: headers and compression below the messages.
 * Source: https://github.com/grpc/grpc/blob/master/doc/compression.md, and what other servers do.
 */
const ofTransport = /^(Invalid grpc-timeout value|Failed to decompress message|Received compressed message)/;

const connections = 4;
const inFlightPerConnection = 8;

/** Makes calls of a seed, several at once; the same calls each time. */
export async function fuzz({ port, seed, first, count }: FuzzRun): Promise<FuzzOutcome> {
  const callers = Array.from({ length: connections }, () => new RawCaller(port));
  const statuses: Record<string, number> = {};
  const unanswered: string[] = [];
  const blamed: string[] = [];
  let messages = 0;
  let next = first;
  const work = async (caller: RawCaller) => {
    while (next < first + count) {
      const index = next++;
      const input = inputAt(seed, index);
      const { status, isAnswer, detail } = await caller.call(input);
      messages += input.messageCount;
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (!isAnswer) unanswered.push(told(index, input, status, detail));
      else if ((status === "INTERNAL" || status === "UNKNOWN") && !ofTransport.test(detail))
        blamed.push(told(index, input, status, detail));
    }
  };
  try {
    await Promise.all(callers.flatMap((caller) => Array.from({ length: inFlightPerConnection }, () => work(caller))));
  } finally {
    for (const caller of callers) caller.close();
  }
  return { messages, statuses, unanswered, blamed };
}

function told(index: number, { path, what }: FuzzInput, status: string, detail: string): string {
  return `${index} ${path.split("/").at(-1)}, ${what}: ${status} ${detail.slice(0, 200)}`;
}
