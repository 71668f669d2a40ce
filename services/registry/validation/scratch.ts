import { randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ExternalFile } from "../store/variants.ts";

/** Makes the bytes of an artifact appear at a path, to be read only. */
export type Place = (sha256: string, path: string, signal: AbortSignal) => Promise<void>;

/** An ONNX file in a folder of its own, with the files that it keeps its weights in. */
export interface LaidOut {
  readonly path: string;
  remove(): Promise<void>;
}

/** A folder for what is needed while a model is validated. */
export class Scratch {
  readonly #folder: string;
  readonly #place: Place;

  constructor(folder: string, place: Place) {
    this.#folder = folder;
    this.#place = place;
  }

  /** Removes what a dead process has left. */
  async start(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true });
  }

  /** Throws what `place` throws; nothing is left then. */
  async layOut(sha256: string, externalFiles: readonly ExternalFile[], signal: AbortSignal): Promise<LaidOut> {
    const folder = join(this.#folder, randomUUID());
    const remove = () => rm(folder, { recursive: true, force: true });
    try {
      await mkdir(folder);
      // No location can be this one.
      const path = join(folder, `${randomUUID()}.onnx`);
      await this.#place(sha256, path, signal);
      for (const file of externalFiles) {
        const place = join(folder, file.location);
        await mkdir(dirname(place), { recursive: true });
        await this.#place(file.sha256, place, signal);
      }
      return { path, remove };
    } catch (failure) {
      await remove();
      throw failure;
    }
  }
}
