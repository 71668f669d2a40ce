import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ServiceError } from "../../../lib/errors.ts";
import type { AspiredVersion } from "../../../lib/gen/amaas/registry/v1/AspiredVersion.ts";
import type { ControlServiceHandlers } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Node__Output as Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../../lib/log.ts";
import { artifactName, versionName } from "../../../lib/resource-names.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";

/** A model of one file, as version 1. */
export interface StoredModel {
  readonly name: string;
  readonly path: string;
}

interface Stored {
  readonly aspired: AspiredVersion;
  readonly bytes: Buffer;
}

const stored = new Map<string, Stored>();
let assigned: readonly string[] = [];
let last: Node | undefined;
/** Wakes whoever waits for another assignment or report. */
let wakers: (() => void)[] = [];

/** As much of a registry as one node talks to: what it may hold, and the files. Answers its address. */
export async function listen(models: readonly StoredModel[], first: readonly string[]): Promise<string> {
  for (const { name, path } of models) stored.set(name, await storedModel(name, path));
  assigned = first;
  const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 24, drainTimeoutMs: 0 };
  const server = new RpcServer(config, createLog("bench-registry", "silent"));
  server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
    ConnectNode: (requests) => connect(requests),
  });
  server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", {
    DownloadArtifact: ({ name, offset }) => download(name, offset),
  });
  return `127.0.0.1:${await server.start()}`;
}

/** Tells the node which models to hold, and settles once it holds those, ready, and nothing else. */
export async function hold(names: readonly string[]): Promise<void> {
  assigned = names;
  wake();
  const wanted = names.map((name) => versionName(name, 1)).sort();
  while (true) {
    const replicas = last?.replicas ?? [];
    const failed = replicas.find(({ state }) => state === "STATE_FAILED");
    if (failed !== undefined) throw new Error(`${failed.version} could not be loaded: ${failed.reason}`);
    const held = replicas.map(({ version, state }) => (state === "STATE_READY" ? version : state)).sort();
    if (held.join() === wanted.join()) return;
    await change();
  }
}

async function storedModel(name: string, path: string): Promise<Stored> {
  const bytes = await readFile(path);
  const artifact = artifactName(createHash("sha256").update(bytes).digest("hex"));
  const aspired: AspiredVersion = {
    version: versionName(name, 1),
    variant: "default",
    executionProviders: ["cpu"],
    modelFile: { artifact, sizeBytes: bytes.length },
    aliases: ["default"],
  };
  return { aspired, bytes };
}

async function* connect(requests: AsyncIterable<{ readonly node: Node | null }>) {
  void listenTo(requests);
  for (let sent: readonly string[] | undefined; ; await change()) {
    if (sent === assigned) continue;
    sent = assigned;
    yield { versions: sent.map((name) => stored.get(name)!.aspired), heartbeatIntervalMs: 60_000 };
  }
}

async function listenTo(requests: AsyncIterable<{ readonly node: Node | null }>): Promise<void> {
  for await (const { node } of requests) {
    last = node ?? last;
    wake();
  }
}

async function* download(name: string, offset: number) {
  const found = [...stored.values()].find(({ aspired }) => aspired.modelFile?.artifact === name);
  if (found === undefined) throw new ServiceError("ARTIFACT_NOT_FOUND", `${name} is not found`);
  for (let begin = offset; begin < found.bytes.length; begin += chunkBytes)
    yield { chunk: found.bytes.subarray(begin, begin + chunkBytes) };
}

const chunkBytes = 1024 ** 2;

function wake(): void {
  const woken = wakers;
  wakers = [];
  for (const waker of woken) waker();
}

function change(): Promise<void> {
  return new Promise((resolve) => wakers.push(resolve));
}
