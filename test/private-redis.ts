import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisServerOnPath } from "../supervisor/redis.ts";

/** The path of the server's program. */
export function redisServer(): string {
  const server = process.env.AMAAS_REDIS_SERVER || redisServerOnPath(process.env.PATH ?? "");
  if (!server) throw new Error("the tests need redis-server or valkey-server on the PATH");
  return server;
}

/** A Redis of a test's own, on a socket in a folder of its own. */
export class PrivateRedis {
  readonly #arguments: readonly string[];
  #process: ChildProcess | undefined;
  #folder = "";

  /** The arguments come behind its own. */
  constructor(...more: readonly string[]) {
    this.#arguments = more;
  }

  get url(): string {
    return `unix://${this.#folder}/redis.sock`;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "amaas-redis-"));
    await this.resume();
  }

  /** Starts again on the same data. */
  async resume(): Promise<void> {
    const args = [
      "--port",
      "0",
      "--unixsocket",
      "redis.sock",
      "--appendonly",
      "yes",
      // As the supervisor has it: by "everysec" an answer may come before its write has left the process, which a kill then loses.
      "--appendfsync",
      "always",
      "--save",
      "",
      "--dir",
      this.#folder,
      ...this.#arguments,
    ];
    this.#process = spawn(redisServer(), args, { cwd: this.#folder, stdio: ["ignore", "pipe", "inherit"] });
    for await (const text of this.#process.stdout!.setEncoding("utf8")) {
      if (/ready to accept connections/i.test(text)) break;
    }
    this.#process.stdout!.resume();
  }

  async kill(): Promise<void> {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  }

  /** Lets it hang: it keeps its connections and answers nothing until `proceed`. */
  pause(): void {
    this.#process!.kill("SIGSTOP");
  }

  proceed(): void {
    this.#process!.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
