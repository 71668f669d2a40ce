import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { PlacedTable } from "./route-table.ts";
import { partsOfTable, tableOfText } from "./route-text.ts";

/** The last route table on disk, so that a gateway can route before the registry answers. */
export class RouteFile {
  readonly #folder: string;
  readonly #log: Log;

  /** `folder` is the gateway's own; it is made where it is missing. */
  constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** The table, if there is one; a damaged file counts as none and is replaced by the next `write`. */
  async read(): Promise<PlacedTable | undefined> {
    try {
      return tableOfText(await readFile(this.#path, "utf8"));
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      this.#log.warn({ file: this.#path, reason: messageOf(failure) }, "route table on disk ignored");
      return undefined;
    }
  }

  /** Replaces the file as a whole: a crash leaves the old one or the new one. A failure is logged; routing goes on. */
  async write(placed: PlacedTable): Promise<void> {
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      await mkdir(this.#folder, { recursive: true });
      const file = await open(temporary, "w");
      try {
        for (const part of partsOfTable(placed)) await file.appendFile(part);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (failure) {
      this.#log.warn({ file: this.#path, reason: messageOf(failure) }, "route table not kept on disk");
    }
  }

  get #path(): string {
    return join(this.#folder, "routes.json");
  }
}
