import { type ChildProcess, fork } from "node:child_process";
import { closeSync } from "node:fs";
import type { Environment } from "../lib/env.ts";
import { messageOf } from "../lib/errors.ts";
import type { Ending, Launched } from "./child.ts";
import type { LogFile } from "./logs.ts";

/** What a service sends by IPC once its listener is bound. */
interface Listening {
  readonly type: "listening";
  readonly port: number;
}

export interface ServiceProcessOptions {
  /** The JavaScript file to run. */
  readonly program: string;
  readonly env: Environment;
  readonly log: LogFile;
  /** What others reach it by: a host name or IP address. */
  readonly host: string;
}

/**
 * Starts one service as a process with an IPC channel; its output goes to the log file.
 *
 * It leads a process group of its own, so that Ctrl-C does not end it before the supervisor says so. When the supervisor
 * dies the channel breaks, and the service drains by itself.
 */
export async function launchService({ program, env, log, host }: ServiceProcessOptions): Promise<Launched> {
  const output = log.open();
  let child: ChildProcess;
  try {
    child = fork(program, {
      env,
      execArgv: ["--enable-source-maps"],
      stdio: ["ignore", output, output, "ipc"],
      detached: true,
    });
  } finally {
    closeSync(output);
  }
  const ended = new Promise<Ending>((settle) => {
    child.once("error", (failure) => settle({ exitCode: null, reason: messageOf(failure) }));
    child.once("exit", (exitCode, signal) => settle({ exitCode, reason: reasonOf(exitCode, signal, log) }));
  });
  const ready = new Promise<string>((settle) => {
    child.on("message", (message: Partial<Listening>) => {
      if (message.type === "listening") settle(`${host}:${message.port}`);
    });
  });
  return {
    pid: child.pid ?? 0,
    ready,
    ended,
    terminate: () => child.kill("SIGTERM"),
    kill: () => child.kill("SIGKILL"),
  };
}

function reasonOf(exitCode: number | null, signal: string | null, log: LogFile): string {
  if (signal !== null) return `ended by ${signal}`;
  return log.lastWords() ?? `ended with exit code ${exitCode}, see ${log.path}`;
}
