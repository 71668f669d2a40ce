import { ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { ArtifactCache, ArtifactReference, CachedArtifact } from "../artifacts/artifact-cache.ts";
import type { ThreadStart } from "../worker/thread-protocol.ts";
import type { WorkerThread } from "../worker/worker-thread.ts";
import { filesOf, type VersionContent } from "./aspired-version.ts";
import { type Instance, type InstanceOptions, startInstance } from "./instance.ts";

/** What an instance is made of. */
export interface InstanceParts extends InstanceOptions {
  readonly artifacts: Pick<ArtifactCache, "fetch" | "discard">;
  readonly startWorker: (start: ThreadStart) => WorkerThread;
  readonly log: Log;
}

/**
 * Fetches the files of a version and loads them into a new thread, which checks every digest before it makes the session. A
 * file that lay here with another digest is fetched again, once; a download with another digest is not, and nothing of it
 * stays.
 */
export async function loadInstance(
  content: VersionContent,
  run: Pick<ThreadStart, "executionProviders" | "intraOpThreads" | "findsThreads" | "niceness" | "keeps">,
  { artifacts, startWorker, log, ...options }: InstanceParts,
): Promise<Instance> {
  const refetched = new Set<string>();
  for (;;) {
    const cached = await fetchAll(content, artifacts);
    const located = <File extends ArtifactReference>(file: File) => ({ ...file, path: cached.get(file.sha256)!.path });
    const files = { modelFile: located(content.modelFile), externalFiles: content.externalFiles.map(located) };
    try {
      return await startInstance(startWorker({ ...files, ...run }), options);
    } catch (failure) {
      if (!(failure instanceof ServiceError && failure.reason === "ARTIFACT_DIGEST_MISMATCH")) throw failure;
      const { sha256 } = failure.metadata;
      await artifacts.discard(sha256);
      if (!cached.get(sha256)?.wasCached || refetched.has(sha256)) throw failure;
      refetched.add(sha256);
      log.warn({ sha256, detail: failure.message }, "a cached artifact was not genuine; fetching it again");
    }
  }
}

/** One after the other: a version may have very many. */
async function fetchAll(
  content: VersionContent,
  artifacts: InstanceParts["artifacts"],
): Promise<Map<string, CachedArtifact>> {
  const cached = new Map<string, CachedArtifact>();
  for (const file of filesOf(content)) cached.set(file.sha256, await artifacts.fetch(file));
  return cached;
}
