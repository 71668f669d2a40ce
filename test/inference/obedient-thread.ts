import { parentPort, workerData } from "node:worker_threads";
import type { ThreadRequest } from "../../services/inference/worker/thread-protocol.ts";

/** What the first byte of a run's first input makes the thread do before it runs. */
export const orders = { none: 0, exit: 1, exhaustMemory: 2, waitAtGate: 3 } as const;

/** The fields of the shared array: 1 where the gate is open; the runs that have begun. */
export const gateIndex = 0;
export const runCountIndex = 1;

/** The thread of an instance with a listener in front that can be told to misbehave. */
if (parentPort !== null) {
  const { shared } = workerData as { shared: Int32Array };
  parentPort.on("message", (request: ThreadRequest) => {
    if (request.kind !== "run" || wasTakenBack(request)) return;
    Atomics.add(shared, runCountIndex, 1);
    const [order] = request.inputs[0].bytes;
    if (order === orders.exit) process.exit(7);
    if (order === orders.exhaustMemory) exhaustMemory();
    if (order === orders.waitAtGate) Atomics.wait(shared, gateIndex, 0);
  });
  await import("../../services/inference/worker/thread.ts");
}

function wasTakenBack({ ahead }: Extract<ThreadRequest, { readonly kind: "run" }>): boolean {
  return ahead !== undefined && new Int32Array(ahead.claim)[0] !== 0;
}

function exhaustMemory(): void {
  const kept: object[] = [];
  for (;;) kept.push(new Array(10_000).fill({}));
}
