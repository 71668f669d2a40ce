import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { messageOf } from "../../../lib/errors.ts";
import { startProcess } from "../../../lib/start-process.ts";
import { cpu } from "./execution-providers.ts";
import type { ProbeReply } from "./probe-protocol.ts";

/** What has come of looking for execution providers. */
export interface ProbedProviders {
  /** Those that work here, in the order in which they were wanted. */
  readonly executionProviders: readonly string[];
  /** Why others do not, by their names. */
  readonly missing: Readonly<Record<string, string>>;
}

/**
 * Finds out which providers work here: each runs a small model in a process of its own, since drivers may crash or hang. The CPU
 * needs no proof. Never rejects; a signal ends the search.
 */
export async function probedProviders(wanted: readonly string[], signal: AbortSignal): Promise<ProbedProviders> {
  const obstacles = await Promise.all(
    wanted.map(async (name) => [name, name === cpu ? undefined : await obstacleOf(name, signal)] as const),
  );
  return {
    executionProviders: obstacles.filter(([, why]) => why === undefined).map(([name]) => name),
    missing: Object.fromEntries(obstacles.flatMap(([name, why]) => (why === undefined ? [] : [[name, why]]))),
  };
}

/** Why a provider does not work; undefined where it does. */
async function obstacleOf(name: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const child = startProcess(new URL("./probe-process", import.meta.url), [name], {
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      signal,
      killSignal: "SIGKILL",
      timeout: probeMsMax,
    });
    return await outcomeOf(child);
  } catch (failure) {
    return messageOf(failure);
  }
}

async function outcomeOf(child: ChildProcess): Promise<string | undefined> {
  let reply: ProbeReply | undefined;
  child.on("message", (message) => {
    reply = message as ProbeReply;
  });
  const printed = textOf(child.stderr!);
  const [code, endSignal] = await once(child, "close");
  if (reply?.kind === "works") return undefined;
  const ended = endSignal === null ? `its probe ended with code ${code}` : `its probe was ended by ${endSignal}`;
  const native = await printed;
  // What the runtime throws does not say which library the system could not load; what it prints does.
  const unloaded = /with error: (.*)$/m.exec(native)?.[1];
  const why = unloaded ?? [reply === undefined ? ended : reply.why, native].join(" ");
  return why.replaceAll(/\s+/g, " ").trim().slice(0, obstacleCharactersMax);
}

/** What a process prints, without colours. */
async function textOf(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) if (text.length < printedCharactersMax) text += chunk;
  return stripVTControlCharacters(text);
}

/** A driver may build kernels, and an engine of TensorRT takes its time too. */
const probeMsMax = 60_000;
const printedCharactersMax = 16_384;
const obstacleCharactersMax = 1024;
