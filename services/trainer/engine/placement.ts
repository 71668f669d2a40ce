import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Finds out which execution provider ran what: the runtime tells it only in the profile of a run. */
export class Placement {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** With a folder of its own for the profile. */
  static async begin(): Promise<Placement> {
    return new Placement(await mkdtemp(join(tmpdir(), "amaas-placement-")));
  }

  /** The options of a session whose first run tells it. */
  get options() {
    return { enableProfiling: true, profileFilePrefix: join(this.#folder, "run") } as const;
  }

  /** The operators that a provider has run, once the session has ended its profile. */
  async operatorsOn(provider: string): Promise<readonly string[]> {
    const [file] = await readdir(this.#folder);
    const events: readonly ProfileEvent[] = JSON.parse(await readFile(join(this.#folder, file), "utf8"));
    await this.end();
    const operators = events.filter(({ args }) => args?.provider === provider).map(({ args }) => args!.op_name!);
    return [...new Set(operators)].sort();
  }

  /** Removes the folder. */
  async end(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface ProfileEvent {
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}
