import { ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { ArtifactCache, ArtifactReference } from "../artifacts/artifact-cache.ts";
import type { StartWorker } from "../worker/worker-thread.ts";
import { type Instance, startInstance } from "./instance.ts";

/** What an instance is made of. */
export interface InstanceParts {
  readonly artifacts: ArtifactCache;
  readonly startWorker: StartWorker;
  readonly intraOpThreads: number;
  readonly log: Log;
}

/**
 * Fetches an artifact and loads it into a new thread, which checks the digest before it makes the session. A file that lay
 * here with another digest is fetched again; a download with another digest is not, and nothing of it stays.
 */
export async function loadInstance(artifact: ArtifactReference, parts: InstanceParts): Promise<Instance> {
  const { artifacts, startWorker, intraOpThreads, log } = parts;
  for (;;) {
    const { path, wasCached } = await artifacts.fetch(artifact);
    try {
      return await startInstance(startWorker, { path, sha256: artifact.sha256, intraOpThreads });
    } catch (failure) {
      if (!(failure instanceof ServiceError && failure.reason === "ARTIFACT_DIGEST_MISMATCH")) throw failure;
      await artifacts.discard(artifact.sha256);
      if (!wasCached) throw failure;
      log.warn(
        { sha256: artifact.sha256, detail: failure.message },
        "a cached artifact was not genuine; fetching it again",
      );
    }
  }
}
