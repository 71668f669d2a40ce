import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { decodeMessage, encodeMessage } from "../../../lib/rpc/protos.ts";
import type { Assignment } from "./assignment.ts";

/** The last assignment on disk, with which a node starts where the registry is away. */
export class AssignmentFile {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Undefined where there is none. Rejects where the file is not one that `save` wrote. */
  async load(): Promise<Assignment | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw failure;
    }
    const stored = JSON.parse(text);
    if (!Array.isArray(stored?.versions)) throw new Error("the file has no list of versions");
    // Through the wire format, so that what the file lacks has its default.
    return decodeMessage<Assignment>("control", messageType, encodeMessage("control", messageType, stored));
  }

  /** Replaces the file in one step; calls take effect in their order. */
  save(assignment: Assignment): Promise<void> {
    const text = JSON.stringify(assignment, bytesAsBase64, 1);
    const saved = this.#saving.then(() => this.#write(text));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  /** Settles once everything is written that was to be saved. */
  saved(): Promise<void> {
    return this.#saving;
  }

  async #write(text: string): Promise<void> {
    const next = `${this.#path}.next`;
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(next, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
  }
}

/** What the wire format takes for bytes; a buffer's own JSON is a list of numbers. */
function bytesAsBase64(_: string, value: unknown): unknown {
  const { type, data } = (value ?? {}) as { readonly type?: unknown; readonly data?: unknown };
  return type === "Buffer" && Array.isArray(data) ? Buffer.from(data).toString("base64") : value;
}

const messageType = "amaas.registry.v1.ConnectNodeResponse";
