import { ServiceError } from "../../../lib/errors.ts";

/** A template of a path, such as "/v1/{name=models/*}:undelete". Source: google/api/http.proto, "Path template syntax". */
export interface PathTemplate {
  readonly text: string;
  /** Undefined stands for any one segment. */
  readonly segments: readonly (string | undefined)[];
  /** Behind the last colon; empty without one. */
  readonly verb: string;
  readonly variables: readonly PathVariable[];
}

/** A field that some segments are bound to. */
export interface PathVariable {
  /** The names from the request to the field, as written in the contract. */
  readonly field: readonly string[];
  /** The first of its segments, and the one behind the last. */
  readonly begin: number;
  readonly end: number;
}

/** Compiles a template of literals, "*", and variables of both. Throws for what is none: an annotation of ours is wrong. */
export function parseTemplate(text: string): PathTemplate {
  const [, path, verb = ""] = /^((?:\/(?:\{[^{}]+\}|[^/{}:*]+))+)(?::([A-Za-z]+))?$/.exec(text) ?? [];
  if (path === undefined) throw new Error(`${text} is no path template`);
  const segments: (string | undefined)[] = [];
  const variables: PathVariable[] = [];
  for (const [, name, pattern = "*", literal] of path.matchAll(/\/(?:\{([^{}=]+)(?:=([^{}]+))?\}|([^/{}]+))/g)) {
    const begin = segments.length;
    for (const part of (literal ?? pattern).split("/")) segments.push(part === "*" ? undefined : part);
    if (name !== undefined) variables.push({ field: name.split("."), begin, end: segments.length });
  }
  return { text, segments, verb, variables };
}

/** A path of a request in the parts that templates tell apart. */
export interface RequestPath {
  /** Decoded; none is empty or has a slash. */
  readonly segments: readonly string[];
  readonly verb: string;
}

/**
 * Takes a path apart, without its query; undefined where no template can match it. Throws REQUEST_INVALID for escapes that are no
 * UTF-8, and for segments that would mean something else to whoever puts a path together of them: "..", and such as hold "/".
 */
export function parsePath(path: string): RequestPath | undefined {
  const raw = path.split("/").slice(1);
  const last = raw[raw.length - 1] ?? "";
  const colon = last.indexOf(":");
  const verb = colon < 0 ? "" : last.slice(colon + 1);
  if (colon >= 0) raw[raw.length - 1] = last.slice(0, colon);
  if (raw.includes("")) return undefined;
  return { segments: raw.map(decoded), verb };
}

/** The texts of a template's variables, by their order; undefined where it does not match. */
export function matchTemplate(template: PathTemplate, { segments, verb }: RequestPath): readonly string[] | undefined {
  const isMatch =
    verb === template.verb &&
    segments.length === template.segments.length &&
    template.segments.every((literal, index) => literal === undefined || literal === segments[index]);
  return isMatch ? template.variables.map(({ begin, end }) => segments.slice(begin, end).join("/")) : undefined;
}

function decoded(segment: string): string {
  let text: string | undefined;
  try {
    text = decodeURIComponent(segment);
  } catch {
    // Left undefined.
  }
  if (text === undefined || text === "." || text === ".." || /[/\\\p{Cc}]/u.test(text)) {
    const seen = JSON.stringify(segment.slice(0, 60));
    throw new ServiceError(
      "REQUEST_INVALID",
      `the path has the segment ${seen}; needed: UTF-8 without slashes and control characters, and not "." or ".."`,
    );
  }
  return text;
}
