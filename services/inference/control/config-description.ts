import type { ModelConfig } from "../../../lib/gen/inference/ModelConfig.ts";
import { camelCase, checkAgreement } from "./config-agreement.ts";

/** What a `config` says of the model itself and of what no load changes, by its field. */
export type ConfigDescription = ReadonlyMap<(typeof descriptionFields)[number], unknown>;

/** Fields of Triton's ModelConfig that may be said, and have to be so. */
export const descriptionFields = [
  "runtime",
  "input",
  "output",
  "default_model_filename",
  "metric_tags",
  "sequence_batching",
  "ensemble_scheduling",
  "parameters",
  "model_transaction_policy",
  "response_cache",
] as const;

/**
 * The first of some configs that says what the description does; undefined where there are none. Throws REQUEST_INVALID, with what
 * the first one says, where none of them does.
 */
export function describedBy<Config extends ModelConfig>(
  description: ConfigDescription,
  configs: readonly Config[],
): Config | undefined {
  let first: { readonly fault: unknown } | undefined;
  for (const config of configs) {
    try {
      for (const [name, said] of description) {
        checkAgreement(said, config[camelCase(name) as keyof ModelConfig], `config.${name}`);
      }
      return config;
    } catch (fault) {
      first ??= { fault };
    }
  }
  if (first !== undefined) throw first.fault;
  return undefined;
}
