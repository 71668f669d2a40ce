import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Workplace } from "./scenario.ts";

/** The names of the functions that a module exports; their arguments and results are JSON. */
type FunctionIn<Module> = {
  [Name in Extract<keyof Module, string>]: Module[Name] extends (...values: never) => unknown ? Name : never;
}[Extract<keyof Module, string>];
type ValuesOf<Called> = Called extends (...values: infer Values) => unknown ? Values : never;
type ResultOf<Called> = Called extends (...values: never) => infer Result ? Awaited<Result> : never;

/** What a process is told. */
export interface CallMessage {
  readonly id: number;
  readonly name: string;
  readonly values: readonly unknown[];
}

/** What it answers: exactly one of both. */
export interface AnswerMessage {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/**
 * A module in a process of its own, whose functions are called from here: servers and load do not share a process. It ends when
 * the scenario does, or this process.
 */
export class BenchProcess<Module> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: AnswerMessage) => void>();
  #calls = 0;

  /** `module` is the module's URL without its extension, which is this file's own. */
  constructor(module: URL, place: Workplace) {
    const extension = extname(import.meta.url);
    const main = fileURLToPath(new URL(`child/main${extension}`, import.meta.url));
    this.#child = fork(main, [`${module.href}${extension}`], { env: place.env, stdio: ["ignore", "ignore", 2, "ipc"] });
    this.#child.on("message", (answer: AnswerMessage) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.#child.once("exit", (code, signal) => {
      for (const [id, settle] of this.#waiting) settle({ id, failure: `the process ended: ${code ?? signal}` });
      this.#waiting.clear();
    });
    place.atEnd(() => this.stop());
  }

  /** The id of the process, for what the system knows of it. */
  get pid(): number {
    return this.#child.pid!;
  }

  async call<Name extends FunctionIn<Module>>(
    name: Name,
    ...values: ValuesOf<Module[Name]>
  ): Promise<ResultOf<Module[Name]>> {
    const id = this.#calls++;
    const answer = await new Promise<AnswerMessage>((settle) => {
      this.#waiting.set(id, settle);
      this.#child.send({ id, name, values } satisfies CallMessage, (failure) => {
        if (failure) settle({ id, failure: failure.message });
      });
    });
    if (answer.failure !== undefined) throw new Error(`${name}: ${answer.failure}`);
    return answer.value as ResultOf<Module[Name]>;
  }

  /** Settles once the process has ended. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}
