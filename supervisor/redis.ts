import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, closeSync, constants, mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../lib/errors.ts";
import type { Ending, Launched } from "./child.ts";
import type { LogFile } from "./logs.ts";
import { isAlive } from "./processes.ts";
import { redisReply } from "./redis-client.ts";

/** The longest path that a Unix socket can have, in bytes: `sun_path` without its final zero, less on macOS. */
const socketPathBytesMax = process.platform === "linux" ? 107 : 103;

const pollMs = 10;
const adoptedPollMs = 250;

/** The Redis server on the PATH, or null. */
export function redisServerOnPath(path: string): string | null {
  const candidates = path.split(delimiter).flatMap((folder) => redisServers.map((name) => join(folder || ".", name)));
  return candidates.find(isProgram) ?? null;
}

const redisServers = ["redis-server", "valkey-server"];

/** A Redis of one data directory: reachable through a socket that only this user can open, state under the directory. */
export class PrivateRedis {
  readonly socket: string;
  readonly #server: string;
  readonly #folder: string;
  readonly #log: LogFile;

  /** `dataFolder` is absolute. */
  constructor(server: string, dataFolder: string, log: LogFile) {
    this.#server = server;
    this.#folder = join(dataFolder, "redis");
    this.#log = log;
    this.socket = socketPath(this.#folder);
  }

  /** Where clients connect: `unix://` and the socket's path. */
  get url(): string {
    return `unix://${this.socket}`;
  }

  /**
   * Starts the server, or adopts the one that a killed supervisor left on the socket.
   *
   * It runs in a session of its own, so that neither Ctrl-C nor the supervisor's death ends it before the services that write to it.
   */
  async launch(): Promise<Launched> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    makePrivate(dirname(this.socket));
    const leftover = await this.#leftover();
    return leftover === null ? this.#spawn() : this.#adopt(leftover);
  }

  /** Removes what may be left outside the data directory; call once nothing runs. */
  clean(): void {
    rmSync(this.socket, { force: true });
    if (dirname(this.socket) !== this.#folder) rmSync(dirname(this.socket), { recursive: true, force: true });
  }

  #spawn(): Launched {
    const output = this.#log.open();
    let child: ChildProcess;
    try {
      child = spawn(this.#server, this.#arguments(), { detached: true, stdio: ["ignore", output, output] });
    } finally {
      closeSync(output);
    }
    let hasEnded = false;
    const ended = new Promise<Ending>((settle) => {
      child.once("error", (failure) => settle({ exitCode: null, reason: messageOf(failure) }));
      child.once("exit", (exitCode, signal) => settle({ exitCode, reason: this.#reasonOf(exitCode, signal) }));
    });
    void ended.then(() => {
      hasEnded = true;
    });
    return {
      pid: child.pid ?? 0,
      ready: this.#answers(() => hasEnded),
      ended,
      terminate: () => child.kill("SIGTERM"),
      kill: () => child.kill("SIGKILL"),
    };
  }

  #adopt(pid: number): Launched {
    const ended = (async (): Promise<Ending> => {
      while (isAlive(pid)) await sleep(adoptedPollMs);
      return { exitCode: null, reason: `process ${pid} is gone, see ${this.#log.path}` };
    })();
    return {
      pid,
      ready: this.#answers(() => !isAlive(pid)),
      ended,
      terminate: () => signal(pid, "SIGTERM"),
      kill: () => signal(pid, "SIGKILL"),
    };
  }

  /**
   * Every write is on disk before it is answered: an acknowledged job survives `kill -9` and the loss of power. With
   * "everysec" a write may be answered up to two seconds before it leaves the process. Jobs are few, so the price is small.
   */
  #arguments(): string[] {
    return [
      ...["--port", "0", "--unixsocket", this.socket, "--unixsocketperm", "700", "--dir", this.#folder],
      ...["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"],
    ];
  }

  /** The process id of a server that already answers on the socket. */
  async #leftover(): Promise<number | null> {
    const information = await redisReply(this.socket, "INFO server").catch(() => "");
    const pid = /process_id:(\d+)/.exec(information)?.[1];
    return pid === undefined ? null : Number(pid);
  }

  /** Settles once the server answers and has read its files back; never, once it has ended. */
  async #answers(hasEnded: () => boolean): Promise<string> {
    for (;;) {
      const reply = await redisReply(this.socket, "PING").catch(() => "");
      if (reply.startsWith("+PONG")) return this.url;
      if (hasEnded()) return new Promise(() => undefined);
      await sleep(pollMs);
    }
  }

  #reasonOf(exitCode: number | null, signal: string | null): string {
    return `ended ${signal === null ? `with exit code ${exitCode}` : `by ${signal}`}, see ${this.#log.path}`;
  }
}

/** Under the data directory where the path is short enough, else under the system's temporary folder. */
function socketPath(folder: string): string {
  const path = join(folder, "redis.sock");
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  return join(tmpdir(), `amaas-${name}`, "redis.sock");
}

/** Others on this machine may write to the temporary folder: a folder of theirs in our place is refused. */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new Error(
      `${folder} belongs to somebody else or is open to others: remove it, or set a shorter AMAAS_DATA_DIR`,
    );
  }
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  if (isAlive(pid)) process.kill(pid, name);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
