import { ServiceError } from "../../../lib/errors.ts";
import { artifactName, versionName } from "../../../lib/resource-names.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Database, Touched } from "../store/database.ts";
import { type FullVersion, findVersion } from "../store/version-rows.ts";

/** Lets calls wait for validations, whichever registry does them. */
export class Settling {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * The version once the variant is not VALIDATING any more; without a variant, once the version is not. Throws ARTIFACT_CORRUPT
   * where its files have to be uploaded again first, and DRAINING when the registry stops: the validation goes on.
   */
  async settled(
    full: FullVersion,
    variant: string | undefined,
    { signal, draining }: Pick<CallContext, "signal" | "draining">,
  ): Promise<FullVersion> {
    if (!isValidating(full, variant)) return full;
    const { model, number } = full.version;
    const over = AbortSignal.any([signal, draining]);
    const listener = new ChangeListener(this.#database, model);
    try {
      for (;;) {
        const current = (await this.#database.snapshot((query) => findVersion(query, model, number)))!;
        if (!isValidating(current, variant)) return current;
        await this.#checkFiles(current);
        await listener.next(over);
        signal.throwIfAborted();
        if (draining.aborted) throw drained(versionName(model, number));
      }
    } finally {
      listener.close();
    }
  }

  async #checkFiles({ version: { model, number } }: FullVersion): Promise<void> {
    const lost = await this.#database.query
      .selectFrom("artifacts")
      .innerJoin("artifact_uses as use", "use.sha256", "artifacts.sha256")
      .select("artifacts.sha256")
      .where("use.model", "=", model)
      .where("use.number", "=", number)
      .where("use.role", "=", "file")
      .where("artifacts.state", "=", "CORRUPT")
      .executeTakeFirst();
    if (lost === undefined) return;
    const version = versionName(model, number);
    const message = `the bytes of ${artifactName(lost.sha256)} are gone or wrong; ${version} is validated once they are uploaded again`;
    throw new ServiceError("ARTIFACT_CORRUPT", message, { metadata: { sha256: lost.sha256, version } });
  }
}

function isValidating({ version, variants }: FullVersion, variant: string | undefined): boolean {
  const state = variant === undefined ? version.state : variants.find(({ id }) => id === variant)?.state;
  return state === "VALIDATING";
}

function drained(version: string): ServiceError {
  const message = `the registry stops; ${version} is validated after its start`;
  return new ServiceError("DRAINING", message, { metadata: { version }, retryDelayMs: 1000 });
}

/** Hears of changes that may concern a model; what comes while nobody waits is heard by the next who does. */
class ChangeListener {
  readonly close: () => void;
  #isChanged = false;
  #changed: () => void = () => undefined;

  constructor(database: Database, model: string) {
    const concerns = ({ model: touched, kind }: Touched) => touched === model || kind === "ARTIFACT";
    this.close = database.onCommit((_, touched) => {
      if (!touched.some(concerns)) return;
      this.#isChanged = true;
      this.#changed();
    });
  }

  /** Settles also when the signal aborts. */
  async next(over: AbortSignal): Promise<void> {
    if (!this.#isChanged && !over.aborted) {
      await new Promise<void>((resolve) => {
        const settle = () => {
          over.removeEventListener("abort", settle);
          resolve();
        };
        this.#changed = settle;
        over.addEventListener("abort", settle);
      });
    }
    this.#isChanged = false;
  }
}
