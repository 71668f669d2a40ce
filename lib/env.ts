import { isAbsolute, resolve } from "node:path";

/** Variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A malformed setting. The message is one line: the name, the value seen, the value needed. */
export class SettingError extends Error {
  override readonly name = "SettingError";

  constructor(variable: string, seen: string, needed: string) {
    super(`${variable}: seen ${JSON.stringify(seen)}, needed ${needed}`);
  }
}

/** Bounds and default of a number. */
export interface IntegerRange {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

/** Reads settings from the environment, each checked; an empty text counts as not set. */
export class Settings {
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** A whole number within bounds. */
  integer(variable: string, range: IntegerRange): number {
    const seen = this.#env[variable];
    if (!seen) return range.default;
    const value = Number(seen);
    if (!/^-?\d+$/.test(seen) || value < range.min || value > range.max) {
      throw new SettingError(variable, seen, `a whole number from ${range.min} to ${range.max}`);
    }
    return value;
  }

  /** A TCP port; 0 lets the system choose a free one. */
  port(variable: string, preset: number): number {
    return this.integer(variable, { default: preset, min: 0, max: 65535 });
  }

  /** A text that matches a pattern; `needed` says it in words. */
  text(variable: string, rule: { default: string; pattern: RegExp; needed: string }): string {
    const seen = this.#env[variable];
    if (!seen) return rule.default;
    if (!rule.pattern.test(seen)) throw new SettingError(variable, seen, rule.needed);
    return seen;
  }

  /** One of several words. */
  choice<Choice extends string>(variable: string, choices: readonly Choice[], preset: Choice): Choice {
    const seen = this.#env[variable];
    if (!seen) return preset;
    const found = choices.find((choice) => choice === seen);
    if (found === undefined) throw new SettingError(variable, seen, `one of ${choices.join(", ")}`);
    return found;
  }

  /** Several words, each once, with commas between. */
  choices<Choice extends string>(
    variable: string,
    choices: readonly Choice[],
    preset: readonly Choice[],
  ): readonly Choice[] {
    const seen = this.#env[variable];
    if (!seen) return preset;
    const found = seen.split(",").map((word) => choices.find((choice) => choice === word.trim()));
    if (found.includes(undefined) || new Set(found).size < found.length) {
      throw new SettingError(variable, seen, `one or several of ${choices.join(", ")}, each once, with commas between`);
    }
    return found as Choice[];
  }

  /** An address "host:port" to connect to. */
  address(variable: string, preset: string): string {
    return this.text(variable, {
      default: preset,
      pattern: /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/,
      needed: "host:port, such as 127.0.0.1:8101",
    });
  }

  /** A host name or IP address to listen on. */
  host(variable: string, preset: string): string {
    return this.text(variable, {
      default: preset,
      pattern: /^([A-Za-z0-9._-]+|\[?[0-9a-fA-F:.]+\]?)$/,
      needed: "a host name or an IP address",
    });
  }

  /** Where a Redis answers; the preset may be empty. */
  redisUrl(variable: string, preset: string): string {
    return this.text(variable, {
      default: preset,
      pattern: /^(rediss?:\/\/[^\s/]+(\/\S*)?|unix:\/\/\/\S.*)$/,
      needed: "redis://host:port, rediss://host:port or unix:///path/of/socket",
    });
  }

  /** As {@link redisUrl}; or the Sentinels that know where a Redis is. */
  redisServiceUrl(variable: string, preset: string): string {
    if (!this.#env[variable]?.startsWith("redis+sentinel:")) return this.redisUrl(variable, preset);
    return this.text(variable, {
      default: preset,
      pattern: /^redis\+sentinel:\/\/([^\s/@]*@)?[^\s/@,]+(,[^\s/@,]+)*\/[^\s/]+$/,
      needed: "redis+sentinel://user:password@host:port,host:port/master, where user and password may be left out",
    });
  }

  /** A folder; a relative one begins at the working directory. */
  folder(variable: string, preset: string): string {
    const seen = this.#env[variable] || preset;
    if (seen.includes("\0")) throw new SettingError(variable, seen, "a path");
    return isAbsolute(seen) ? seen : resolve(seen);
  }
}
