import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { type ArtifactStore, checkStored, corrupt } from "../store/artifacts.ts";
import type { GarbageStore } from "../store/garbage.ts";
import type { ArtifactRow } from "../store/schema.ts";
import { type Actor, ownActor } from "../store/transaction.ts";
import { type ByteStore, BytesGone, newLocation, oneRoom } from "./byte-store.ts";
import type { Announced } from "./spool.ts";

/** What the bytes of artifacts need. */
export interface ArtifactBytesParts {
  readonly store: ByteStore;
  readonly artifacts: ArtifactStore;
  readonly garbage: GarbageStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** The bytes of the artifacts in the catalogue. Whoever reads an artifact whose bytes are gone or wrong marks it as corrupt. */
export class ArtifactBytes {
  readonly #parts: ArtifactBytesParts;

  constructor(parts: ArtifactBytesParts) {
    this.#parts = parts;
  }

  /** Whether the bytes of a row are there, as far as their number tells. */
  async isPresent(row: ArtifactRow): Promise<boolean> {
    if (row.state !== "STORED") return false;
    if ((await this.#parts.store.sizeOf(row.location)) === row.size_bytes) return true;
    await this.#mark(row);
    return false;
  }

  /** Stores a verified file as an artifact. */
  async add(actor: Actor, { sha256, sizeBytes }: Announced, path: string, signal: AbortSignal): Promise<ArtifactRow> {
    const { store, artifacts, garbage, clock } = this.#parts;
    const bytes = { sha256, sizeBytes, location: newLocation(sha256), writeTimeMs: clock.now() };
    await store.put(path, bytes.location, signal);
    try {
      const { row, unused } = await artifacts.stored(actor, bytes);
      if (unused !== undefined) await store.remove(unused).catch(leftToTheCollector);
      return row;
    } catch (failure) {
      // Whether a commit has failed that was not answered, only the database can tell.
      const orphans = await garbage.orphans(actor, [bytes]).catch(() => []);
      for (const { location } of orphans) await store.remove(location).catch(leftToTheCollector);
      throw failure;
    }
  }

  /**
   * The bytes of an artifact from an offset to the end. What is read from the beginning is verified: at the end it throws
   * ARTIFACT_CORRUPT, also where bytes are missing. ARTIFACT_COLLECTING where it went or was stored anew meanwhile.
   */
  async *read(row: ArtifactRow, offset: number, signal: AbortSignal, room = oneRoom()): AsyncGenerator<Buffer> {
    const { sha256, location, size_bytes } = row;
    if (offset > 0 && offset === size_bytes) return;
    const hash = offset === 0 ? createHash("sha256") : undefined;
    let position = offset;
    try {
      for await (const chunk of this.#parts.store.read(location, offset, signal, room)) {
        hash?.update(chunk);
        position += chunk.length;
        yield chunk;
      }
    } catch (failure) {
      if (!(failure instanceof BytesGone)) throw failure;
      throw await this.#faultOf(row, "are gone", failure);
    }
    if (position !== size_bytes) throw await this.#faultOf(row, `end at ${position}, not at ${size_bytes}`);
    const seen = hash?.digest("hex") ?? sha256;
    if (seen !== sha256) throw await this.#faultOf(row, `have the SHA-256 ${seen}`);
  }

  /**
   * Makes the bytes of an artifact appear as a local file, to be read only, and verifies them. ARTIFACT_NOT_FOUND,
   * ARTIFACT_CORRUPT, ARTIFACT_COLLECTING, SERVICE_UNAVAILABLE; there is no file then.
   */
  async place(sha256: string, path: string, signal: AbortSignal): Promise<void> {
    const row = checkStored(await this.#parts.artifacts.get(sha256));
    try {
      if (await this.#linked(row, path)) for await (const _ of this.read(row, 0, signal));
      else await writeFile(path, this.read(row, 0, signal), { flag: "wx" });
    } catch (failure) {
      await rm(path, { force: true });
      throw failure;
    }
  }

  async #linked(row: ArtifactRow, path: string): Promise<boolean> {
    try {
      return await this.#parts.store.link(row.location, path);
    } catch (failure) {
      if (!(failure instanceof BytesGone)) throw failure;
      throw await this.#faultOf(row, "are gone", failure);
    }
  }

  async #faultOf(row: ArtifactRow, why: string, cause?: unknown): Promise<ServiceError> {
    const { sha256, location } = row;
    const current = await this.#parts.artifacts.get(sha256);
    if (current.state !== "COLLECTING" && current.location === location) {
      await this.#mark(row);
      return corrupt(sha256, why, cause);
    }
    const message = `${artifactName(sha256)} was removed or stored anew while it was read; read it again`;
    return new ServiceError("ARTIFACT_COLLECTING", message, { metadata: { sha256 }, retryDelayMs: 1000 });
  }

  async #mark(row: ArtifactRow): Promise<void> {
    this.#parts.log.error({ artifact: artifactName(row.sha256), location: row.location }, "artifact corrupt");
    await this.#parts.artifacts.corrupted(verifier, row);
  }
}

/** Who finds out that bytes are not what they should be. */
const verifier = ownActor("VerifyArtifact");

/** What cannot be removed now is an orphan, and those are collected. */
function leftToTheCollector(): void {}
