import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { artifactName, parseArtifactName, parseVersionName, versionName } from "../../../lib/resource-names.ts";
import type { AspiredVersion } from "../replicas/aspired-version.ts";
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
    const { versions } = JSON.parse(text) as { versions: StoredVersion[] };
    return { versions: versions.map(restored) };
  }

  /** Replaces the file in one step; calls take effect in their order. */
  save({ versions }: Assignment): Promise<void> {
    const text = JSON.stringify({ versions: versions.map(stored) }, null, 1);
    const saved = this.#saving.then(() => this.#write(text));
    this.#saving = saved.catch(() => undefined);
    return saved;
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

/** A version as the file has it. */
interface StoredVersion {
  readonly version: string;
  readonly artifact: string;
  readonly sizeBytes: number;
  readonly aliases: readonly string[];
}

function stored({ model, version, sha256, sizeBytes, aliases }: AspiredVersion): StoredVersion {
  return { version: versionName(model, version), artifact: artifactName(sha256), sizeBytes, aliases };
}

function restored({ version, artifact, sizeBytes, aliases }: StoredVersion): AspiredVersion {
  return { ...parseVersionName(version), sha256: parseArtifactName(artifact), sizeBytes, aliases };
}
