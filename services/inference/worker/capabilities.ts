import { once } from "node:events";
import { ServiceError } from "../../../lib/errors.ts";
import { startThread } from "../../../lib/start-thread.ts";

/** What the runtime of this node can do. */
export interface RuntimeCapabilities {
  /** Its name and version. */
  readonly runtime: string;
  /** The newest operator set that it loads, by domain. */
  readonly opsets: Readonly<Record<string, number>>;
}

/** Finds out in a thread of its own, since the runtime blocks the thread that it runs on. Rejects where it cannot be loaded. */
export async function runtimeCapabilities(): Promise<RuntimeCapabilities> {
  const thread = startThread(new URL("./capabilities-thread", import.meta.url), { name: "capabilities" });
  const ended = once(thread, "exit").then(([code]) => {
    throw new ServiceError("WORKER_LOST", `the runtime cannot be loaded: its thread ended with code ${code}`);
  });
  const [capabilities] = await Promise.race([once(thread, "message"), ended]);
  return capabilities as RuntimeCapabilities;
}
