import { ServiceError } from "../../../lib/errors.ts";
import type { Compatibility } from "../store/schema.ts";
import type { FoundDifference } from "./comparison.ts";

/** The mode of a model does not let an alias move: says every difference that breaks it, as far as there is room. */
export function incompatibleFault(
  alias: string,
  mode: Compatibility,
  breaking: readonly FoundDifference[],
): ServiceError {
  const count = breaking.length;
  const begin = `${alias} cannot move: ${count} ${count === 1 ? "difference breaks" : "differences break"} ${mode}`;
  const shown = fitting(sentencesOf(breaking), charactersMax);
  const more = shown.length < count ? [`and ${count - shown.length} more`] : [];
  const end = "CheckCompatibility shows all; needed: a compatible version, another mode, or force";
  const details = breaking.slice(0, detailsMax).map((found, index): [string, string] => {
    return [`difference_${index + 1}`, `${comparedOf(found)}: ${found.kind} ${found.path}`];
  });
  return new ServiceError("INCOMPATIBLE", `${begin}: ${[...shown, ...more, end].join(separator)}`, {
    metadata: { alias, mode, differences: String(count), ...Object.fromEntries(details) },
  });
}

/** Bounds of what an error may say. */
const charactersMax = 650;
const detailsMax = 8;

const separator = "; ";

/** One for each difference; says what is compared only where that changes. */
function sentencesOf(breaking: readonly FoundDifference[]): readonly string[] {
  return breaking.map((found, index) => {
    const compared = comparedOf(found);
    const before = breaking[index - 1];
    return before !== undefined && comparedOf(before) === compared ? found.message : `${compared}: ${found.message}`;
  });
}

function comparedOf({ version, against }: FoundDifference): string {
  return against === "" ? version : `${version} against ${against}`;
}

/** The first of them, at least one, that need no more room than there is. */
function fitting(sentences: readonly string[], charactersMax: number): readonly string[] {
  let characters = 0;
  const tooMany = sentences.findIndex((sentence) => {
    characters += sentence.length + separator.length;
    return characters > charactersMax;
  });
  return tooMany < 0 ? sentences : sentences.slice(0, Math.max(1, tooMany));
}
