import { ServiceError } from "./errors.ts";

/**
 * The pattern of the ids of models and aliases: 1 to 63 characters of a-z, 0-9, '.', '_' and '-', the first and the last
 * a letter or digit. An alias id holds at least one letter, so that it can't be mistaken for a version.
 */
export const idPattern = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** The pattern in words. */
export const idPatternText = "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning and ending with a letter or digit";

/** The pattern of the ids of jobs. */
export const jobIdPattern = /^[a-z0-9]{1,63}$/;

/** The pattern of the SHA-256 of artifacts. */
export const sha256Pattern = /^[0-9a-f]{64}$/;

/** The alias that an empty version means. */
export const defaultAlias = "default";

/** A version by its number, or by an alias of the model. */
export type VersionChoice = { readonly number: number } | { readonly alias: string };

/** Builds resource names from ids. */
export const modelName = (model: string) => `models/${model}`;
export const versionName = (model: string, version: number) => `models/${model}/versions/${version}`;
export const aliasName = (model: string, alias: string) => `models/${model}/aliases/${alias}`;
export const servingSettingsName = (model: string) => `models/${model}/servingSettings`;
export const artifactName = (sha256: string) => `artifacts/${sha256}`;
export const jobName = (job: string) => `jobs/${job}`;
export const nodeName = (node: string) => `nodes/${node}`;

/** Every `parse…` throws REQUEST_INVALID with the field, the value seen and the form needed. */
export function parseModelName(name: string, field = "name"): string {
  const [, model] = matched(name, /^models\/([^/]*)$/, field, "models/{model}");
  return parseModelId(model, field);
}

/** The id of a model on its own. */
export function parseModelId(id: string, field = "model_id"): string {
  return checkedId(id, field, "a model id");
}

/** The id of an alias on its own. */
export function parseAliasId(id: string, field = "alias_id"): string {
  checkedId(id, field, "an alias id");
  if (!/[a-z]/.test(id)) throw refusal(field, id, "an alias id with at least one letter");
  return id;
}

/** A version by its number. */
export function parseVersionName(name: string, field = "name"): { readonly model: string; readonly version: number } {
  const [, model, version] = matched(name, /^models\/([^/]*)\/versions\/([^/]*)$/, field, versionForm);
  const number = versionNumber(version);
  if (number === undefined) throw refusal(field, name, `${versionForm}, the number a whole one from 1`);
  return { model: parseModelId(model, field), version: number };
}

/** A version by its number or by an alias. */
export function parseVersionChoice(
  name: string,
  field = "name",
): { readonly model: string; readonly version: VersionChoice } {
  const form = "models/{model}/versions/{number or alias}";
  const [, model, version] = matched(name, /^models\/([^/]*)\/versions\/([^/]*)$/, field, form);
  const number = versionNumber(version);
  if (number === undefined && !(idPattern.test(version) && /[a-z]/.test(version))) {
    throw refusal(field, name, `${form}: a whole number from 1, or an alias id with at least one letter`);
  }
  const choice = number === undefined ? { alias: version } : { number };
  return { model: parseModelId(model, field), version: choice };
}

export function parseAliasName(name: string, field = "name"): { readonly model: string; readonly alias: string } {
  const [, model, alias] = matched(
    name,
    /^models\/([^/]*)\/aliases\/([^/]*)$/,
    field,
    "models/{model}/aliases/{alias}",
  );
  return { model: parseModelId(model, field), alias: parseAliasId(alias, field) };
}

/** The model of serving settings. */
export function parseServingSettingsName(name: string, field = "name"): string {
  const [, model] = matched(name, /^models\/([^/]*)\/servingSettings$/, field, "models/{model}/servingSettings");
  return parseModelId(model, field);
}

/** The SHA-256 of an artifact, 64 lower-case hexadecimal digits. */
export function parseArtifactName(name: string, field = "name"): string {
  const [, sha256] = matched(
    name,
    /^artifacts\/([0-9a-f]{64})$/,
    field,
    "artifacts/{sha256}, 64 lower-case hexadecimal digits",
  );
  return sha256;
}

export function parseJobName(name: string, field = "name"): string {
  const [, job] = matched(name, /^jobs\/([^/]*)$/, field, jobForm);
  if (!jobIdPattern.test(job)) throw refusal(field, name, jobForm);
  return job;
}

export function parseNodeName(name: string, field = "name"): string {
  const [, node] = matched(name, /^nodes\/([^/]*)$/, field, "nodes/{node}");
  return checkedId(node, field, "a node id");
}

/** The number that a text stands for, from 1 to 2^53 - 1 without leading zeros; undefined for anything else. */
export function versionNumber(text: string): number | undefined {
  const number = Number(text);
  return /^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}

const jobForm = "jobs/{job}, the id 1 to 63 of a-z and 0-9";
const versionForm = "models/{model}/versions/{number}";

function matched(name: string, form: RegExp, field: string, needed: string): RegExpExecArray {
  const match = form.exec(name);
  if (match === null) throw refusal(field, name, needed);
  return match;
}

function checkedId(id: string, field: string, what: string): string {
  if (idPattern.test(id)) return id;
  throw refusal(field, id, `${what}: ${idPatternText}`);
}

function refusal(field: string, seen: string, needed: string): ServiceError {
  const shown = JSON.stringify(seen.length > 100 ? `${seen.slice(0, 100)}…` : seen);
  return new ServiceError("REQUEST_INVALID", `${field} is ${shown}; needed: ${needed}`, { metadata: { field } });
}
