import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import type { Signature } from "../../../lib/tensor.ts";
import type { Schema } from "./schema.ts";
import type { CatalogueTransaction } from "./transaction.ts";

/** What an ONNX file says of itself, and what running it has shown. */
export interface ModelFacts {
  readonly signature: Signature;
  /** How often each operator occurs, by its name in the contract's form. */
  readonly operators: Readonly<Record<string, number>>;
  /** Operator sets by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly parameterCount: number;
  readonly memoryBytes: number;
}

/** What a validation comes to. */
export type Outcome =
  | { readonly kind: "accepted"; readonly facts: ModelFacts }
  | { readonly kind: "rejected"; readonly reason: string };

/** The outcomes of validations by content: the same files with the same sample are validated once. */
export class ValidationStore {
  readonly #runtime: string;

  /** `runtime` names what validates: another one may come to other outcomes. */
  constructor(runtime: string) {
    this.#runtime = runtime;
  }

  /** What is known of some content, by the digest of the variant. */
  async known(
    query: Kysely<Schema>,
    digests: readonly string[],
    sampleJson: string | null,
  ): Promise<ReadonlyMap<string, Outcome>> {
    if (digests.length === 0) return new Map();
    const digestOf = new Map(digests.map((digest) => [this.#key(digest, sampleJson), digest]));
    const rows = await query
      .selectFrom("validations")
      .select(["key", "outcome_json"])
      .where("key", "in", [...digestOf.keys()])
      .execute();
    return new Map(rows.map(({ key, outcome_json }) => [digestOf.get(key)!, JSON.parse(outcome_json)]));
  }

  /** Keeps what follows from the content alone. */
  async keep(
    { query, timeMs }: CatalogueTransaction,
    digest: string,
    sampleJson: string | null,
    outcome: Outcome,
  ): Promise<void> {
    await query
      .insertInto("validations")
      .values({ key: this.#key(digest, sampleJson), outcome_json: JSON.stringify(outcome), create_time: timeMs })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Forgets the oldest above a number: their content is validated again where it comes back. */
  async prune(query: Kysely<Schema>, keptMax: number): Promise<void> {
    const newestToGo = query
      .selectFrom("validations")
      .select("create_time")
      .orderBy("create_time", "desc")
      .limit(1)
      .offset(keptMax);
    await query.deleteFrom("validations").where("create_time", "<=", newestToGo).execute();
  }

  #key(digest: string, sampleJson: string | null): string {
    return createHash("sha256")
      .update(`${rulesRevision}\n${this.#runtime}\n${digest}\n${sampleJson ?? ""}`)
      .digest("hex");
  }
}

/** Goes up when our own rules of what is accepted change. */
const rulesRevision = 2;

/** What a version's variants are run on; null for zeros. */
export async function sampleOf(query: Kysely<Schema>, model: string, number: number): Promise<string | null> {
  const row = await query
    .selectFrom("version_samples")
    .select("sample_json")
    .where("model", "=", model)
    .where("number", "=", number)
    .executeTakeFirst();
  return row?.sample_json ?? null;
}
