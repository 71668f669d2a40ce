import type { Compatibility } from "../store/schema.ts";
import type { Difference } from "./difference.ts";
import { breaksMode } from "./modes.ts";

/** A difference, and between what. */
export interface FoundDifference extends Difference {
  /** The name of the new version. */
  readonly version: string;
  /** The name of the old one; empty where the fleet is what does not fit. */
  readonly against: string;
}

/** What is looked for. */
export interface Question {
  readonly mode: Compatibility;
  /** Whether only what breaks the mode is found, or everything. */
  readonly isOnlyBreaking: boolean;
}

/** The first differences that comparisons have found, and whether one breaks a mode. */
export class Findings {
  readonly #question: Question;
  readonly #first: FoundDifference[] = [];
  #breaking: FoundDifference | undefined;
  #areMore = false;

  constructor(question: Question) {
    this.#question = question;
  }

  /** At most `differencesMax`, in the order in which they were found; the last one breaks the mode where one does, and none before. */
  get shown(): readonly FoundDifference[] {
    if (this.#breaking === undefined || this.#first.includes(this.#breaking)) return this.#first;
    return [...this.#first.slice(0, -1), this.#breaking];
  }

  /** Whether there are more than are shown. */
  get areMore(): boolean {
    return this.#areMore;
  }

  get breaksMode(): boolean {
    return this.#breaking !== undefined;
  }

  /** Whether further differences would change nothing. */
  get isConclusive(): boolean {
    return this.#areMore && (this.breaksMode || this.#question.mode === "NONE");
  }

  /** Answers whether there was room for it, and it was asked for. */
  add(found: FoundDifference): boolean {
    const breaks = breaksMode(this.#question.mode, found);
    if (this.#question.isOnlyBreaking && !breaks) return false;
    if (breaks) this.#breaking ??= found;
    if (this.#first.length === differencesMax) this.#areMore = true;
    else this.#first.push(found);
    return !this.#areMore;
  }
}

/** How many differences are shown at most. */
export const differencesMax = 1000;
