import { ServiceError } from "../../../lib/errors.ts";
import type { Compatibility } from "../store/schema.ts";
import type { Findings, FoundDifference } from "./findings.ts";

/** The mode of a model does not let an alias move: says what breaks it, as far as there is room, and how much there is. */
export function incompatibleFault(
  alias: string,
  mode: Compatibility,
  { shown: breaking, areMore }: Pick<Findings, "shown" | "areMore">,
): ServiceError {
  const count = breaking.length;
  const atLeast = areMore ? "more than " : "";
  const begin = `${alias} cannot move: ${atLeast}${count} ${count === 1 ? "difference breaks" : "differences break"} ${mode}`;
  const sentences = fitting(sentencesOf(breaking), charactersMax);
  const more = sentences.length < count ? [`and ${atLeast}${count - sentences.length} more`] : [];
  const end = "CheckCompatibility lists them; needed: a compatible version, another mode, or force";
  const details = breaking.slice(0, detailsMax).map((found, index): [string, string] => {
    return [`difference_${index + 1}`, `${comparedOf(found)}: ${found.kind} ${found.path}`];
  });
  const metadata = { alias, mode, differences: String(count), ...(areMore && { differences_truncated: "true" }) };
  return new ServiceError("INCOMPATIBLE", `${begin}: ${[...sentences, ...more, end].join(separator)}`, {
    metadata: { ...metadata, ...Object.fromEntries(details) },
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
