import type { MethodDefinition } from "@grpc/grpc-js";
import type { Log } from "../log.ts";
import type { AnyHandler } from "./handlers.ts";

/** A method of a contract with its handler, and what all its calls share. */
export interface ServedMethod {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handler: AnyHandler;
  /** Whether calls that succeed are logged at debug level only. */
  readonly quiet: boolean;
  /** Largest message in either direction, in bytes. */
  readonly messageBytesMax: number;
  readonly draining: AbortSignal;
  readonly log: Log;
}
