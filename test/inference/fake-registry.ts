import { createHash } from "node:crypto";
import { ServiceError } from "../../lib/errors.ts";
import type { AspiredVersion } from "../../lib/gen/amaas/registry/v1/AspiredVersion.ts";
import type { ControlServiceHandlers } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Node__Output as Node } from "../../lib/gen/amaas/registry/v1/Node.ts";
import type { RegistryServiceHandlers } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { createLog } from "../../lib/log.ts";
import { artifactName, parseArtifactName, versionName } from "../../lib/resource-names.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

const reportTimeoutMs = 30_000;
const chunkBytes = 1024;

/** A stored file. */
export interface StoredFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A version that nodes should hold, of one file unless there are external ones. */
export interface AssignedVersion extends StoredFile, Pick<AspiredVersion, "settings" | "memoryBytes"> {
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
  readonly variant?: string;
  readonly executionProviders?: readonly string[];
  readonly externalFiles?: readonly (StoredFile & { readonly location: string })[];
}

/** As much of a registry as a node talks to, on a real socket. */
export class FakeRegistry {
  /** Every report of every node, in order. */
  readonly reports: Node[] = [];
  /** Every download, in order. */
  readonly downloads: { readonly sha256: string; readonly offset: number }[] = [];
  /** Ends the next download after so many bytes. */
  breakAfterBytes = Infinity;
  /** What every download waits for before its first byte. */
  gate: Promise<void> = Promise.resolve();
  heartbeatIntervalMs = 60_000;
  connectionCount = 0;
  readonly #artifacts = new Map<string, Uint8Array>();
  readonly #wakers = new Set<() => void>();
  #assigned: readonly AssignedVersion[] | undefined;
  #cutCount = 0;
  #server: RpcServer | undefined;
  #port = 0;

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens; a second start listens where the first did. */
  async start(): Promise<void> {
    const config = { host: "127.0.0.1", port: this.#port, messageBytesMax: 2 ** 24, drainTimeoutMs: 0 };
    this.#server = new RpcServer(config, createLog("fake-registry", "silent"));
    this.#server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      ConnectNode: (requests, call) => this.#connect(requests, call.draining),
    });
    this.#server.implement<RegistryServiceHandlers>("amaas.registry.v1.RegistryService", {
      DownloadArtifact: ({ name, offset }) => this.#download(parseArtifactName(name), offset),
    });
    this.#port = await this.#server.start();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  /** Keeps a file; `served` are the bytes that downloads get instead. */
  store(bytes: Uint8Array, served = bytes): StoredFile {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    this.#artifacts.set(sha256, served);
    return { sha256, sizeBytes: bytes.byteLength };
  }

  /** Tells every node, now and when it connects, what to hold. */
  assign(...versions: AssignedVersion[]): void {
    this.#assigned = versions;
    this.#wake();
  }

  /** Ends the streams of all nodes. */
  cut(): void {
    this.#cutCount++;
    this.#wake();
  }

  /** Settles with the first report, from now on or the last one, that is as wanted. */
  async reported(isWanted: (node: Node) => boolean): Promise<Node> {
    const endMs = Date.now() + reportTimeoutMs;
    for (let index = Math.max(0, this.reports.length - 1); ; ) {
      for (; index < this.reports.length; index++) if (isWanted(this.reports[index]!)) return this.reports[index]!;
      if (Date.now() > endMs) throw new Error(`no such report; the last: ${JSON.stringify(this.reports.at(-1))}`);
      await this.#changed(endMs - Date.now());
    }
  }

  /** Settles with the first report in which a version is as far as `state`. */
  reportedState(version: string, state: string): Promise<Node> {
    return this.reported(({ replicas }) =>
      replicas.some((replica) => replica.version === version && replica.state === state),
    );
  }

  async *#connect(requests: AsyncIterable<{ readonly node: Node | null }>, draining: AbortSignal) {
    const cuts = this.#cutCount;
    this.connectionCount++;
    let open = true;
    void this.#listen(requests).finally(() => {
      open = false;
      this.#wake();
    });
    const wake = () => this.#wake();
    draining.addEventListener("abort", wake);
    let sent: readonly AssignedVersion[] | undefined;
    while (open && cuts === this.#cutCount && !draining.aborted) {
      if (this.#assigned !== undefined && this.#assigned !== sent) {
        sent = this.#assigned;
        yield { versions: sent.map(messageOf), heartbeatIntervalMs: this.heartbeatIntervalMs };
      } else {
        await this.#changed(reportTimeoutMs);
      }
    }
    draining.removeEventListener("abort", wake);
  }

  async #listen(requests: AsyncIterable<{ readonly node: Node | null }>): Promise<void> {
    try {
      for await (const { node } of requests) {
        if (node !== null) this.reports.push(node);
        this.#wake();
      }
    } catch {
      // A node that is gone is what some tests are about.
    }
  }

  async *#download(sha256: string, offset: number) {
    this.downloads.push({ sha256, offset });
    const bytes = this.#artifacts.get(sha256);
    if (bytes === undefined) throw new ServiceError("ARTIFACT_NOT_FOUND", `${artifactName(sha256)} is not found`);
    await this.gate;
    const breakAt = offset + this.breakAfterBytes;
    this.breakAfterBytes = Infinity;
    for (let begin = offset; begin < bytes.byteLength; begin += chunkBytes) {
      if (begin >= breakAt) throw new ServiceError("SERVICE_UNAVAILABLE", "the download was broken on purpose");
      yield { chunk: Buffer.from(bytes.subarray(begin, begin + chunkBytes)) };
    }
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  #changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wakers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#wakers.add(done);
    });
  }
}

function messageOf(assigned: AssignedVersion): AspiredVersion {
  const { model, version, aliases, variant = "default", executionProviders = ["cpu"], settings = null } = assigned;
  return {
    version: versionName(model, version),
    variant,
    executionProviders: [...executionProviders],
    modelFile: fileOf(assigned),
    externalFiles: (assigned.externalFiles ?? []).map((file) => ({ ...fileOf(file), location: file.location })),
    aliases: [...aliases],
    settings,
    memoryBytes: assigned.memoryBytes,
  };
}

function fileOf({ sha256, sizeBytes }: StoredFile) {
  return { artifact: artifactName(sha256), sizeBytes };
}
