import type { ChildProcess } from "node:child_process";
import { startProcess } from "../../../lib/start-process.ts";
import { checkCarriable } from "./channel-bounds.ts";
import type { ProcessReply } from "./process-protocol.ts";
import type { ThreadReply, ThreadRequest, ThreadStart } from "./thread-protocol.ts";

/**
 * A process with one thread that follows the thread protocol. What is posted is copied. It ends with this process, whatever it does
 * then.
 */
export class WorkerProcess {
  readonly #child: ChildProcess;
  #onError: (failure: unknown) => void = () => undefined;
  #onExit: (code: number | string) => void = () => undefined;
  #hasEnded = false;

  constructor(start: ThreadStart) {
    this.#child = startProcess(new URL("./process", import.meta.url), [], {
      execArgv: [],
      serialization: "advanced",
      // What native code prints as it dies is for whoever reads the node's own output.
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    // It could not be started, or a message could not be sent, as to one that has just died.
    this.#child.on("error", (failure) => {
      this.#onError(failure);
      if (this.#child.pid === undefined) this.#end(1);
    });
    // After its last word.
    this.#child.on("close", (code, signal) => this.#end(signal ?? code ?? 1));
    this.#send(start);
  }

  /** Throws REQUEST_INVALID where the inputs of a run are too large for it. */
  postMessage(request: ThreadRequest): void {
    if (request.kind === "run") checkCarriable(request.inputs);
    this.#send(request);
  }

  on(event: "message" | "error" | "exit", listener: (value: never) => void): void {
    switch (event) {
      case "message":
        this.#child.on("message", (message) => {
          const reply = message as ProcessReply;
          if (reply.kind === "died") this.#onError(new Error(reply.why));
          else (listener as (reply: ThreadReply) => void)(reply);
        });
        return;
      case "error":
        this.#onError = listener as (failure: unknown) => void;
        return;
      case "exit":
        this.#onExit = listener as (code: number | string) => void;
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Of one that is ending nothing is wanted any more. */
  #send(message: ThreadStart | ThreadRequest): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #end(code: number | string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onExit(code);
  }
}
