import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../../lib/errors.ts";
import { type DownloadOptions, download } from "./download.ts";

/** What names an artifact. */
export interface ArtifactReference {
  /** In lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Where an artifact lies. */
export interface CachedArtifact {
  readonly path: string;
  /** Whether any of its bytes lay here before it was asked for. */
  readonly wasCached: boolean;
}

/**
 * Files of artifacts under their SHA-256, one folder per node. Files are not trusted: whoever loads one checks the digest,
 * and discards it where it is not the right one.
 */
export class ArtifactCache {
  readonly #folder: string;
  readonly #options: DownloadOptions;
  readonly #fetching = new Map<string, { readonly done: Promise<CachedArtifact>; readonly stop: AbortController }>();
  /** Settles when all that is being removed is gone. */
  #removed: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(folder: string, options: DownloadOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Gives the file, downloaded first where it is missing; several who ask at once share one download. Rejects with
   * CANCELLED once the cache is closed, and as `download` does.
   */
  async fetch(artifact: ArtifactReference): Promise<CachedArtifact> {
    if (this.#isClosed) throw notNeeded();
    const known = this.#fetching.get(artifact.sha256);
    if (known !== undefined) return known.done;
    const stop = new AbortController();
    const done = this.#fetch(artifact, stop.signal).finally(() => this.#fetching.delete(artifact.sha256));
    this.#fetching.set(artifact.sha256, { done, stop });
    return done;
  }

  /** Removes a file whose bytes are not the right ones. */
  async discard(sha256: string): Promise<void> {
    await rm(this.#path(sha256), { force: true });
    await rm(this.#partPath(sha256), { force: true });
  }

  /** Removes every file and ends every download besides those that are needed when it comes to it. */
  async keepOnly(needed: () => ReadonlySet<string>): Promise<void> {
    for (const [sha256, { stop }] of this.#fetching) if (!needed().has(sha256)) stop.abort(notNeeded());
    const names = await readdir(this.#folder).catch(() => []);
    if (this.#isClosed) return;
    const kept = needed();
    const surplus = names.filter((name) => {
      const sha256 = name.slice(0, sha256Chars);
      return !kept.has(sha256) && !this.#fetching.has(sha256);
    });
    const removing = surplus.map((name) => rm(join(this.#folder, name), { force: true, recursive: true }));
    // Without the outcomes, each of which would hold the one before.
    this.#removed = Promise.allSettled([this.#removed, ...removing]).then(() => undefined);
    await Promise.all(removing);
  }

  /** Ends every download, begins no others, and settles once nothing is being removed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#fetching.values()];
    for (const { stop } of open) stop.abort(notNeeded());
    await Promise.allSettled([...open.map(({ done }) => done), this.#removed]);
  }

  async #fetch(artifact: ArtifactReference, signal: AbortSignal): Promise<CachedArtifact> {
    const path = this.#path(artifact.sha256);
    // It may be among what is no longer needed a moment before it is needed again.
    await this.#removed;
    if ((await sizeOf(path)) === artifact.sizeBytes) return { path, wasCached: true };
    await mkdir(this.#folder, { recursive: true });
    const part = this.#partPath(artifact.sha256);
    const begun = await sizeOf(part);
    if (begun !== undefined && begun > artifact.sizeBytes) await rm(part, { force: true });
    try {
      await download(artifact, part, this.#options, signal);
    } catch (failure) {
      if (failure instanceof ServiceError && failure.reason === "ARTIFACT_CORRUPT") await rm(part, { force: true });
      throw failure;
    }
    await rename(part, path);
    return { path, wasCached: begun !== undefined };
  }

  #path(sha256: string): string {
    return join(this.#folder, sha256);
  }

  #partPath(sha256: string): string {
    return join(this.#folder, `${sha256}.part`);
  }
}

const sha256Chars = 64;

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function notNeeded(): ServiceError {
  return new ServiceError("CANCELLED", "the artifact is no longer needed");
}
