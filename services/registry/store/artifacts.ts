import type { Kysely } from "kysely";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import type { ArtifactRow, Schema } from "./schema.ts";

/** Which artifacts are completely stored. Their bytes are files. */
export class ArtifactStore {
  readonly #query: Kysely<Schema>;

  constructor(query: Kysely<Schema>) {
    this.#query = query;
  }

  /** ARTIFACT_NOT_FOUND. */
  async get(sha256: string): Promise<ArtifactRow> {
    const row = await this.find(sha256);
    if (row !== undefined) return row;
    throw new ServiceError("ARTIFACT_NOT_FOUND", `there is no ${artifactName(sha256)}; upload it first`, {
      metadata: { sha256 },
    });
  }

  find(sha256: string): Promise<ArtifactRow | undefined> {
    return this.#query.selectFrom("artifacts").selectAll().where("sha256", "=", sha256).executeTakeFirst();
  }

  /** Records an artifact; one that is recorded already stays as it is. */
  async add(row: ArtifactRow): Promise<ArtifactRow> {
    await this.#query
      .insertInto("artifacts")
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return this.get(row.sha256);
  }
}
