import { ServiceError } from "../../../lib/errors.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Version } from "../../../lib/gen/amaas/registry/v1/Version.ts";
import { defaultAlias, parseAliasName, parseVersionChoice, versionName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { type Candidate, type ComparedVersion, comparison } from "../compatibility/comparison.ts";
import { fieldDifferences } from "../compatibility/fields.ts";
import { differencesMax, Findings } from "../compatibility/findings.ts";
import { isTransitive } from "../compatibility/modes.ts";
import type { FleetCapabilities } from "../control/fleet-capabilities.ts";
import { differenceMessage } from "../messages/difference.ts";
import { versionMessage } from "../messages/version.ts";
import type { AliasStore } from "../store/aliases.ts";
import { candidateOf } from "../store/compared-versions.ts";
import { inTurns } from "../store/in-turns.ts";
import type { ModelStore } from "../store/models.ts";
import type { FullVersion } from "../store/version-rows.ts";
import type { VersionStore } from "../store/versions.ts";
import { invalid, wordOf } from "./requests.ts";

/** What the calls that compare versions need. */
export interface CompatibilityHandlerParts {
  readonly models: ModelStore;
  readonly versions: VersionStore;
  readonly aliases: AliasStore;
  readonly fleet: () => FleetCapabilities;
}

/** The calls that compare versions. */
export function compatibilityHandlers(
  parts: CompatibilityHandlerParts,
): Pick<Handlers<RegistryServiceHandlers>, "CheckCompatibility" | "DiffVersions"> {
  const { models, versions, fleet } = parts;
  const read = ({ model, version }: ReturnType<typeof parseVersionChoice>) => versions.get(model, version);
  return {
    CheckCompatibility: async ({ name, against, mode: asked }, { signal }) => {
      const choice = parseVersionChoice(name);
      if (against.length > againstMax) throw invalid("against", `${against.length} names`, `at most ${againstMax}`);
      const word = wordOf("mode", asked, "COMPATIBILITY_MODE_");
      const candidate = comparable(await read(choice));
      const mode = word === "UNSPECIFIED" ? (await models.get(choice.model)).compatibility : word;
      const others = await othersOf(parts, choice.model, against, isTransitive(mode));
      const findings = new Findings({ mode, isOnlyBreaking: false });
      await inTurns(comparison(candidate, others, fleet(), findings), signal);
      return {
        compatible: !findings.breaksMode,
        mode: `COMPATIBILITY_MODE_${mode}`,
        differences: findings.shown.map((difference) => differenceMessage(difference.against, difference)),
        truncated: findings.areMore,
      };
    },

    DiffVersions: async ({ left, right }, { signal }) => {
      const [leftChoice, rightChoice] = [parseVersionChoice(left, "left"), parseVersionChoice(right, "right")];
      const [before, after] = [await read(leftChoice), await read(rightChoice)];
      const [old, candidate] = [before, after].map(candidateOf);
      const [leftMessage, rightMessage] = [withoutCard(before), withoutCard(after)];
      const findings = new Findings({ mode: "NONE", isOnlyBreaking: false });
      if (old && candidate) await inTurns(comparison(candidate, [old], [], findings), signal);
      const fields = fieldDifferences(leftMessage, rightMessage);
      return {
        left: leftMessage,
        right: rightMessage,
        signature: findings.shown.map((difference) => differenceMessage(difference.against, difference)),
        fields: fields.slice(0, differencesMax),
        truncated: findings.areMore || fields.length > differencesMax,
      };
    },
  };
}

/** Most names that one version is compared with in one call. */
const againstMax = 64;

/** What the names mean, each version once. An alias that is named must have been made. */
async function othersOf(
  parts: CompatibilityHandlerParts,
  model: string,
  against: readonly string[],
  everPointedAt: boolean,
): Promise<readonly ComparedVersion[]> {
  const { aliases, versions } = parts;
  const others = new Map<string, ComparedVersion>();
  const add = (version: ComparedVersion) => others.set(version.name, version);
  if (against.length === 0) {
    for (const version of await aliases.pointedAt(model, defaultAlias, everPointedAt)) add(version);
  }
  for (const [index, name] of against.entries()) {
    const field = `against[${index}]`;
    if (/^models\/[^/]*\/aliases\//.test(name)) {
      const { model: owner, alias } = parseAliasName(name, field);
      await aliases.revisions(owner, alias, 1);
      for (const version of await aliases.pointedAt(owner, alias, everPointedAt)) add(version);
    } else {
      const { model: owner, version } = parseVersionChoice(name, field);
      add(comparable(await versions.get(owner, version)));
    }
  }
  return [...others.values()];
}

function withoutCard({ version, variants }: FullVersion): Version {
  return versionMessage({ ...version, model_card: "" }, variants);
}

function comparable(full: FullVersion): Candidate {
  const candidate = candidateOf(full);
  if (candidate !== undefined) return candidate;
  const { model, number, state } = full.version;
  const name = versionName(model, number);
  const message = `${name} is ${state}; needed: a version whose signature is known`;
  throw new ServiceError("VERSION_STATE", message, { metadata: { version: name, state } });
}
