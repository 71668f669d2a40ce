import { spawn } from "node:child_process";
import { constants } from "node:os";

const passedOn = ["SIGINT", "SIGTERM", "SIGHUP"];

/** A signal that comes again so soon is the same one: npm repeats what the terminal has already sent to the whole group. */
const sameSignalMs = 500;

/**
 * Runs a program to its end and answers with its exit code, 128 + n where signal n ended it.
 *
 * The child leads a process group of its own, so that Ctrl-C reaches it once, through this process, which waits for it.
 * `lifeline` gives it an IPC channel: launch.mjs ends the program when the channel breaks, so not even `kill -9` of this
 * process leaves it behind.
 */
export function runChild(command, args, { lifeline = false, stdio = "inherit", ...options } = {}) {
  const child = spawn(command, args, {
    detached: true,
    stdio: lifeline ? [stdio, stdio, stdio, "ipc"] : stdio,
    ...options,
  });
  const lastMs = {};
  const passOn = (signal) => {
    const nowMs = Date.now();
    if (nowMs - (lastMs[signal] ?? 0) > sameSignalMs) child.kill(signal);
    lastMs[signal] = nowMs;
  };
  for (const signal of passedOn) process.on(signal, passOn);
  return new Promise((settle, fail) => {
    child.once("error", fail);
    child.once("exit", (code, signal) => settle(code ?? 128 + constants.signals[signal]));
  }).finally(() => {
    for (const signal of passedOn) process.off(signal, passOn);
  });
}
