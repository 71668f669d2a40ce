import { ServiceError } from "../../../lib/errors.ts";

/** Reads the fields of a JSON object, each checked; what nobody has read by the end is refused with its path. */
export class JsonFields {
  readonly #path: string;
  readonly #fields: ReadonlyMap<string, unknown>;
  readonly #known = new Set<string>();

  /** Throws REQUEST_INVALID, as all of it does, where the value is no object. */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refused(path, value, "an object");
    this.#path = path;
    this.#fields = new Map(Object.entries(value));
  }

  /** A whole number, also as digits in a text, as JSON of protobuf has 64-bit ones. */
  whole(name: string, min: number, max: number): number | undefined {
    return this.#read(name, `a whole number from ${min} to ${max}`, (value) => wholeWithin(value, min, max));
  }

  /** A list of whole numbers, at most `countMax`. */
  wholes(name: string, countMax: number, min: number, max: number): number[] | undefined {
    return this.list(name, countMax, (entry, path) => {
      const number = wholeWithin(entry, min, max);
      if (number === undefined) throw refused(path, entry, `a whole number from ${min} to ${max}`);
      return number;
    });
  }

  flag(name: string): boolean | undefined {
    return this.#read(name, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  text(name: string): string | undefined {
    return this.#read(name, "a text", (value) => (typeof value === "string" ? value : undefined));
  }

  /** One of several words. */
  word<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    return this.#read(name, `one of ${words.join(", ")}`, (value) => words.find((word) => word === value));
  }

  /** Whatever it is, to be read elsewhere. */
  anything(name: string): unknown {
    return this.#take(name);
  }

  /** A list of at most `countMax` entries, each read by itself. */
  list<Entry>(name: string, countMax: number, read: (entry: unknown, path: string) => Entry): Entry[] | undefined {
    const list = this.#read(name, `a list of at most ${countMax}`, (value) =>
      Array.isArray(value) && value.length <= countMax ? value : undefined,
    );
    return list?.map((entry, index) => read(entry, `${this.#path}.${name}[${index}]`));
  }

  /** An object, whose fields `read` has to know all of. */
  object<Result>(name: string, read: (fields: JsonFields) => Result): Result | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : JsonFields.read(value, `${this.#path}.${name}`, read);
  }

  /** The objects of a map, by key. */
  map<Result>(name: string, read: (fields: JsonFields, key: string) => Result): Map<string, Result> | undefined {
    return this.object(name, (fields) => {
      const keys = [...fields.#fields.keys()];
      return new Map(keys.map((key) => [key, fields.object(key, (entry) => read(entry, key))!]));
    });
  }

  /** Refuses a value that was read. */
  refuse(name: string, needed: string): ServiceError {
    return refused(`${this.#path}.${name}`, this.#fields.get(name), needed);
  }

  /** Reads an object to its end. */
  static read<Result>(value: unknown, path: string, read: (fields: JsonFields) => Result): Result {
    const fields = new JsonFields(value, path);
    const result = read(fields);
    const unknown = [...fields.#fields.keys()].find((name) => !fields.#known.has(name));
    if (unknown === undefined) return result;
    const message = `${path}.${unknown} is not supported; needed: only ${[...fields.#known].join(", ")}`;
    throw new ServiceError("REQUEST_INVALID", message);
  }

  /** Undefined where it is not there, or null. */
  #take(name: string): unknown {
    this.#known.add(name);
    return this.#fields.get(name) ?? undefined;
  }

  #read<Result>(name: string, needed: string, accept: (value: unknown) => Result | undefined): Result | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    const accepted = accept(value);
    if (accepted === undefined) throw refused(`${this.#path}.${name}`, value, needed);
    return accepted;
  }
}

function wholeWithin(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  const isWithin = typeof number === "number" && Number.isSafeInteger(number) && number >= min && number <= max;
  return isWithin ? number : undefined;
}

/** The fault of a value that is not what is needed. */
export function refused(path: string, seen: unknown, needed: string): ServiceError {
  const text = textOf(seen);
  const shown = text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
  return new ServiceError("REQUEST_INVALID", `${path} is ${shown}; needed: ${needed}`);
}

const shownMax = 100;

function textOf(seen: unknown): string {
  try {
    return JSON.stringify(seen) ?? "nothing";
  } catch {
    // JSON can be read at depths at which it cannot be written.
    return "nested too deeply to be shown";
  }
}
