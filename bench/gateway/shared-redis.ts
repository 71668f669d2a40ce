import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { redisServerOnPath } from "../../supervisor/redis.ts";
import type { Workplace } from "../harness/scenario.ts";

/** A Redis that can be killed and started again; it ends with the scenario. */
export interface SharedRedis {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** That of a scenario, not started yet, on a socket in its folder; keeps nothing on a disk. Throws where there is no server on the PATH. */
export function sharedRedis(place: Workplace): SharedRedis {
  const server = redisServerOnPath(place.env.PATH ?? "");
  if (server === null) throw new Error("no redis-server or valkey-server on the PATH");
  const socket = join(place.folder, "redis.sock");
  let end = async () => {};
  const start = async () => {
    const child = spawn(server, ["--port", "0", "--unixsocket", socket, "--save", ""], {
      cwd: place.folder,
      stdio: ["ignore", "pipe", 2],
    });
    end = async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    };
    const output = child.stdout!;
    for await (const text of output.setEncoding("utf8")) if (/ready to accept connections/i.test(text)) break;
    output.resume();
  };
  place.atEnd(() => end());
  return { url: `unix://${socket}`, start, kill: () => end() };
}
