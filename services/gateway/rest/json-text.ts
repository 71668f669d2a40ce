import { ServiceError } from "../../../lib/errors.ts";

/**
 * A value as JSON says it, without what `JSON.parse` loses: whole numbers outside of ±(2^53 - 1) are bigints, and objects are maps, in
 * which no key means anything by itself.
 */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** What a text may hold. */
export interface JsonBounds {
  /** Whether NaN, Infinity and Inf stand for numbers, as Triton reads and writes them; in standard JSON they are nothing. */
  readonly isNonFiniteAllowed: boolean;
}

/**
 * Reads a JSON text (RFC 8259). Throws REQUEST_INVALID where it is not one, for a key that an object has twice, a number that no double
 * holds, more than 64 levels, and more than a million arrays and objects.
 */
export function parseJson(text: string, bounds: JsonBounds): JsonValue {
  return new Parser(text, bounds).whole();
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

/** What a value is, for messages about one that is something else. */
export function shownJson(value: JsonValue | undefined): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return isShort(value) ? jsonText(value) : `an array of ${value.length}`;
  if (isObject(value)) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text;
}

/** Whether an array is fit for a message. */
function isShort(array: readonly JsonValue[]): boolean {
  return (
    array.length <= shownElementsMax &&
    array.every((element) => typeof element !== "object" && typeof element !== "string")
  );
}

/** Says a value as JSON, bigints with all their digits. Numbers that are not finite are said as Triton does. */
export function jsonText(value: JsonValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (isObject(value)) {
    const members: string[] = [];
    for (const [key, member] of value) members.push(`${JSON.stringify(key)}:${jsonText(member)}`);
    return `{${members.join(",")}}`;
  }
  return Object.is(value, -0) ? "-0.0" : String(value);
}

const levelsMax = 64;
const containersMax = 1_000_000;
const shownCharactersMax = 60;
const shownElementsMax = 8;

class Parser {
  readonly #text: string;
  readonly #bounds: JsonBounds;
  #position = 0;
  #level = 0;
  #containers = 0;

  constructor(text: string, bounds: JsonBounds) {
    this.#text = text;
    this.#bounds = bounds;
  }

  whole(): JsonValue {
    const value = this.#value();
    if (!Number.isNaN(this.#next())) throw this.#fault("the end");
    return value;
  }

  #value(): JsonValue {
    const first = this.#next();
    if (first === code.minus || isDigit(first)) return this.#number();
    if (first === code.bracket) return this.#array();
    if (first === code.brace) return this.#object();
    if (first === code.quote) return this.#string();
    for (const [word, value] of this.#bounds.isNonFiniteAllowed ? allWords : standardWords) {
      if (this.#takeWord(word)) return value;
    }
    throw this.#fault("a value");
  }

  #object(): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#enter();
    if (!this.#take(code.braceEnd)) {
      do {
        if (this.#next() !== code.quote) throw this.#fault("a key");
        const key = this.#string();
        if (members.has(key)) throw invalid(`has the key ${shownJson(key)} twice in one object`);
        if (!this.#take(code.colon)) throw this.#fault("':'");
        members.set(key, this.#value());
      } while (this.#take(code.comma));
      if (!this.#take(code.braceEnd)) throw this.#fault("',' or '}'");
    }
    this.#level--;
    return members;
  }

  #array(): readonly JsonValue[] {
    const values: JsonValue[] = [];
    this.#enter();
    if (!this.#take(code.bracketEnd)) {
      do values.push(this.#value());
      while (this.#take(code.comma));
      if (!this.#take(code.bracketEnd)) throw this.#fault("',' or ']'");
    }
    this.#level--;
    return values;
  }

  #enter(): void {
    this.#position++;
    if (++this.#level > levelsMax) throw invalid(`has more than ${levelsMax} levels of arrays and objects`);
    if (++this.#containers > containersMax) throw invalid(`has more than ${containersMax} arrays and objects`);
  }

  #string(): string {
    const begin = this.#position;
    let end = begin + 1;
    let isPlain = true;
    for (;;) {
      const character = this.#text.charCodeAt(end);
      if (character === code.quote) break;
      // NaN behind the end.
      if (!(character >= 0x20)) throw this.#fault("a string without control characters, with its end", end);
      if (character === code.backslash) {
        isPlain = false;
        end++;
      }
      end++;
    }
    this.#position = end + 1;
    if (isPlain) return this.#text.slice(begin + 1, end);
    const text = escaped(this.#text.slice(begin, end + 1));
    if (text === undefined) throw this.#fault("a string with escapes that JSON knows", begin);
    // UTF-8, in which messages have their texts, has nothing for half of a pair.
    if (/\p{Surrogate}/u.test(text)) throw this.#fault("a string whose surrogates are pairs", begin);
    return text;
  }

  #number(): number | bigint {
    const begin = this.#position;
    const isNegative = this.#skip(code.minus);
    if (this.#bounds.isNonFiniteAllowed && (this.#takeWord("Infinity") || this.#takeWord("Inf"))) return -Infinity;
    const wholeBegin = this.#position;
    const magnitude = this.#digits();
    if (this.#position - wholeBegin > 1 && this.#text.charCodeAt(wholeBegin) === code.zero) {
      throw this.#fault("a number without leading zeros", begin);
    }
    const wholeEnd = this.#position;
    if (this.#skip(code.point)) this.#digits();
    if (this.#skip(code.e) || this.#skip(code.upperE)) {
      if (!this.#skip(code.plus)) this.#skip(code.minus);
      this.#digits();
    }
    const isWhole = this.#position === wholeEnd;
    if (isWhole && magnitude <= Number.MAX_SAFE_INTEGER) return isNegative ? -magnitude : magnitude;
    const token = this.#text.slice(begin, this.#position);
    const number = Number(token);
    if (!Number.isFinite(number) || token.length > numberCharactersMax) {
      throw invalid(
        `has the number ${shownJson(token)}; needed: one that a double holds, in ${numberCharactersMax} characters`,
      );
    }
    return isWhole ? BigInt(token) : number;
  }

  /** Passes over digits; answers the number that they are, exact up to 2^53. */
  #digits(): number {
    let value = 0;
    const begin = this.#position;
    for (;;) {
      const character = this.#text.charCodeAt(this.#position);
      if (!isDigit(character)) break;
      value = value * 10 + (character - code.zero);
      this.#position++;
    }
    if (this.#position === begin) throw this.#fault("a digit");
    return value;
  }

  /** The next character that is no space; NaN at the end. */
  #next(): number {
    for (;;) {
      const character = this.#text.charCodeAt(this.#position);
      if (character !== 0x20 && character !== 0x0a && character !== 0x0d && character !== 0x09) return character;
      this.#position++;
    }
  }

  #take(character: number): boolean {
    if (this.#next() !== character) return false;
    this.#position++;
    return true;
  }

  #skip(character: number): boolean {
    if (this.#text.charCodeAt(this.#position) !== character) return false;
    this.#position++;
    return true;
  }

  #takeWord(word: string): boolean {
    if (!this.#text.startsWith(word, this.#position)) return false;
    this.#position += word.length;
    return true;
  }

  #fault(needed: string, position = this.#position): ServiceError {
    const seen = position >= this.#text.length ? "the end" : JSON.stringify(this.#text.slice(position, position + 20));
    return invalid(`is no JSON: at character ${position} it has ${seen}; needed: ${needed}`);
  }
}

function invalid(what: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `the body ${what}`);
}

function isDigit(character: number): boolean {
  return character >= 0x30 && character <= 0x39;
}

const code = {
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  point: 0x2e,
  zero: 0x30,
  colon: 0x3a,
  upperE: 0x45,
  bracket: 0x5b,
  backslash: 0x5c,
  bracketEnd: 0x5d,
  e: 0x65,
  brace: 0x7b,
  braceEnd: 0x7d,
} as const;

/** More digits than any double or 64-bit integer needs. */
const numberCharactersMax = 400;

const standardWords: readonly (readonly [string, JsonValue])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
const allWords: typeof standardWords = [...standardWords, ["NaN", NaN], ["Infinity", Infinity], ["Inf", Infinity]];

/** What a string with escapes says; undefined where it is none. */
function escaped(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}
