import { type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { relayedFault } from "../../../lib/rpc/status.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import type { ArtifactSource } from "./artifact-source.ts";

/** How downloads go. */
export interface DownloadOptions {
  readonly source: ArtifactSource;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Waits before a broken download goes on. */
  readonly resume: BackOff;
  /** Breaks in a row without a new byte after which a download fails. */
  readonly attemptsMax: number;
  /** How long a download may be without a new byte, in milliseconds. */
  readonly idleMsMax: number;
}

/**
 * Writes an artifact to a file. What the file holds already is kept, and the download goes on behind it, also after a
 * break. Whether the bytes are the right ones is for the reader of the file to check.
 *
 * Rejects with ARTIFACT_CORRUPT where the number of bytes is not `sizeBytes`, with the source's fault, or with the
 * signal's reason.
 */
export async function download(
  artifact: { readonly sha256: string; readonly sizeBytes: number },
  path: string,
  options: DownloadOptions,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, "a");
  try {
    let { size } = await file.stat();
    for (let failureCount = 0; size < artifact.sizeBytes; ) {
      const begin = size;
      try {
        size = await append(file, size, artifact, options, signal);
        if (size < artifact.sizeBytes) throw corrupt(artifact, size);
      } catch (failure) {
        signal.throwIfAborted();
        ({ size } = await file.stat());
        failureCount = size > begin ? 0 : failureCount + 1;
        const fault = relayedFault(failure);
        if (fault.reason !== "SERVICE_UNAVAILABLE" || failureCount >= options.attemptsMax) throw fault;
        await pause(options.clock, backOffMs(Math.max(1, failureCount), options.resume, options.random()), signal);
      }
    }
    if (size > artifact.sizeBytes) throw corrupt(artifact, size);
  } finally {
    await file.close();
  }
}

/** Appends what the source gives; answers the size of the file then. Stops soon after the artifact's size is exceeded. */
async function append(
  file: FileHandle,
  offset: number,
  { sha256, sizeBytes }: { readonly sha256: string; readonly sizeBytes: number },
  { source, clock, idleMsMax }: DownloadOptions,
  signal: AbortSignal,
): Promise<number> {
  const idle = new AbortController();
  const watch = () => clock.after(idleMsMax, () => idle.abort());
  let stopWatch = watch();
  let size = offset;
  try {
    for await (const chunk of source(sha256, offset, AbortSignal.any([signal, idle.signal]))) {
      stopWatch();
      await file.appendFile(chunk);
      size += chunk.byteLength;
      if (size > sizeBytes) break;
      stopWatch = watch();
    }
    return size;
  } catch (failure) {
    throw idle.signal.aborted ? new Error(`no byte came for ${idleMsMax} ms`, { cause: failure }) : failure;
  } finally {
    stopWatch();
  }
}

function corrupt({ sha256, sizeBytes }: { readonly sha256: string; readonly sizeBytes: number }, size: number) {
  return new ServiceError("ARTIFACT_CORRUPT", `artifact ${sha256} has ${size} bytes; needed: ${sizeBytes}`);
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener("abort", end);
      resolve();
    });
    const end = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", end, { once: true });
  });
}
