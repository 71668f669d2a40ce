import type { ModelConfig } from "../../lib/gen/inference/ModelConfig.ts";

/** The names of choices, which only our own decoder adds. */
const choices = ["schedulingChoice", "policyChoice", "inputDataType", "strategyChoice"];

/** A config as clients get it who ask for JSON: with the contract's names, and without what is empty. */
export function configJson(config: ModelConfig): Record<string, never> {
  return jsonOf(config) as Record<string, never>;
}

function jsonOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([name, field]) => !choices.includes(name) && !isUnset(field));
  return Object.fromEntries(
    fields.map(([name, field]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), jsonOf(field)]),
  );
}

function isUnset(field: unknown): boolean {
  if (Array.isArray(field)) return field.length === 0;
  return [null, "", 0, "0", false, "REJECT", "KIND_AUTO", "FORMAT_NONE", "TYPE_INVALID"].includes(field as never);
}
