import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type S3Server, s3Credentials, startS3Server } from "../s3-server.ts";

/** One of the stores that a registry can keep the bytes of artifacts in. */
export interface TestedByteStore {
  readonly name: string;
  /** A new, empty store of a registry with this data directory. */
  open(dataDir: string): Promise<OpenByteStore>;
}

/** What a test does to the store of its registry. */
export interface OpenByteStore {
  /** For the registry. */
  readonly settings: Readonly<Record<string, string>>;
  /** The files that hold the bytes of artifacts, here or at the server. */
  files(): Promise<readonly StoredFile[]>;
}

/** The bytes of an artifact. */
export interface StoredFile {
  readonly path: string;
  readonly sha256: string;
}

let server: Promise<S3Server> | undefined;

// At the root: one server for every file of a run.
after(async () => {
  await (await server)?.stop();
});

/** The server of the run. */
export function s3Server(): Promise<S3Server> {
  server ??= startS3Server();
  return server;
}

/** What every test of the bytes of artifacts runs on. */
export const byteStores: readonly TestedByteStore[] = [
  {
    name: "files",
    open: async (dataDir) => ({ settings: {}, files: () => filesIn(join(dataDir, "registry", "artifacts"), "") }),
  },
  {
    name: "S3",
    open: async () => {
      const { endpoint, folder, createBucket } = await s3Server();
      const bucket = await createBucket();
      await keepFolders(join(folder, bucket, "of", "tests"));
      // The SDK looks for them in the environment of the process.
      Object.assign(process.env, s3Credentials);
      const settings = { AMAAS_ARTIFACT_STORE: `s3://${bucket}/of/tests`, AMAAS_S3_ENDPOINT: endpoint };
      return { settings, files: () => filesIn(join(folder, bucket, "of", "tests"), "._S3rver_object") };
    },
  },
];

/** Without it the server removes folders that become empty, and dies where another request is about to write into one. */
async function keepFolders(folder: string): Promise<void> {
  for (let prefix = 0; prefix < 256; prefix++) {
    const kept = join(folder, prefix.toString(16).padStart(2, "0"));
    await mkdir(kept, { recursive: true });
    await writeFile(join(kept, "kept"), "");
  }
}

/** The names of what uploads of a registry with this data directory have written and not stored yet. */
export function incoming(dataDir: string): Promise<string[]> {
  return readdir(join(dataDir, "registry", "incoming"));
}

async function filesIn(folder: string, suffix: string): Promise<StoredFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => ({ path: join(entry.path, entry.name), sha256: basename(entry.name).slice(0, 64) }))
    .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
}
