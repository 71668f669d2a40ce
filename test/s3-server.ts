import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";

/** An S3-compatible server of the test's own, to be killed, stopped for a while and started again. */
export interface S3Server {
  /** "http://host:port". */
  readonly endpoint: string;
  /** Where its objects lie as files: "{bucket}/{key}._S3rver_object". */
  readonly folder: string;
  /** A new empty bucket. */
  createBucket(): Promise<string>;
  /** SIGKILL; settles when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** It accepts connections, and answers nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** What the server wants to be signed with. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

const program = join(dirname(createRequire(import.meta.url).resolve("s3rver/package.json")), "bin", "s3rver.js");

/** Starts one on a free port of the loopback, in a folder of its own. */
export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "amaas-s3-"));
  let running = await spawnServer(folder, 0);
  const { port } = running;
  const endpoint = `http://127.0.0.1:${port}`;
  const end = async () => {
    const { server } = running;
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    server.kill("SIGKILL");
    await exited;
  };
  let count = 0;
  return {
    endpoint,
    folder,
    createBucket: async () => {
      const name = `bucket-${++count}`;
      const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
      const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
      await client.send(new CreateBucketCommand({ Bucket: name }));
      client.destroy();
      return name;
    },
    kill: end,
    start: async () => {
      running = await spawnServer(folder, port);
    },
    pause: () => void running.server.kill("SIGSTOP"),
    resume: () => void running.server.kill("SIGCONT"),
    stop: async () => {
      await end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function spawnServer(
  folder: string,
  port: number,
): Promise<{ readonly server: ChildProcess; readonly port: number }> {
  const args = ["--directory", folder, "--address", "127.0.0.1", "--port", String(port), "--no-vhost-buckets"];
  const server = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const listening = new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      text += chunk;
      const [, found] = /listening on \S+:(\d+)/.exec(text) ?? [];
      if (found !== undefined) resolve(Number(found));
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("exit", (code) => reject(new Error(`the S3 server ended with ${code}: ${text}`)));
  });
  return { server, port: await listening };
}
