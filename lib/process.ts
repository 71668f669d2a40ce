import { setFlagsFromString } from "node:v8";
import { type Environment, SettingError } from "./env.ts";
import { messageOf } from "./errors.ts";
import { whenOrphaned } from "./orphaned.ts";
import { StepOverdue } from "./stop-steps.ts";

/** A service: `start` acquires once, `stop` releases in reverse and may be called again. */
export interface Service {
  /** Settles once requests are answered; gives the TCP port. */
  start(): Promise<{ readonly port: number }>;
  /** Drains and releases everything; runs every step in spite of failures. See `runStopSteps`. */
  stop(): Promise<void>;
}

/** How a process ends after a malformed setting, which no restart heals: EX_CONFIG of sysexits(3). Other failures are 1. */
export const exitOnBadSetting = 78;

/**
 * Runs one service as this process: reads the settings, starts, tells a parent process by IPC where it listens, and drains
 * on SIGTERM, on SIGINT, and when the parent has gone.
 */
export async function runProcess(host: NodeJS.Process, create: (env: Environment) => Service): Promise<void> {
  setCollectorFlags();
  let service: Service;
  try {
    service = create(host.env);
  } catch (failure) {
    end(host, failure instanceof SettingError ? exitOnBadSetting : 1, failure);
    return;
  }
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    service.stop().then(
      () => host.exit(0),
      (failure) => end(host, 1, failure),
    );
  };
  whenOrphaned(host, stop);
  host.on("SIGTERM", stop);
  host.on("SIGINT", stop);
  try {
    const { port } = await service.start();
    if (host.connected) host.send?.({ type: "listening", port });
  } catch (failure) {
    await service.stop().catch(() => undefined);
    end(host, 1, failure);
  }
}

/** Sets how V8 collects the garbage of this process. */
export function setCollectorFlags(): void {
  for (const flag of collectorFlags) setFlagsFromString(flag);
}

/** Both may be set while V8 runs. */
const collectorFlags = [
  // The heap grows to four times of what lives between two full collections, the most that V8 lets it grow anyway: it counts buffers
  // outside of the heap too, so that with a small heap every 20 MB that pass through would cost a full collection.
  "--heap-growing-percent=300",
  // Young objects are collected by their own thread alone. Little of them lives, and helpers find the cores taken by sessions and
  // callers: the event loop would stand still until they had their turn.
  "--no-parallel-scavenge",
];

function end(host: NodeJS.Process, code: number, failure: unknown): void {
  const text = failure instanceof SettingError ? failure.message : (failure as Error)?.stack || messageOf(failure);
  host.stderr.write(`${text}\n`, () => {
    // An exit waits for threads, and what was left behind may be one that never comes back from native code.
    if (isOverdue(failure)) host.kill(host.pid, "SIGKILL");
    else host.exit(code);
  });
}

function isOverdue(failure: unknown): boolean {
  return failure instanceof AggregateError && failure.errors.some((each) => each instanceof StepOverdue);
}
