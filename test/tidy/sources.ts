import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { root } from "../repository.ts";

/** What is not ours to keep tidy: generated, fetched, or state. */
const foreign = new Set([".amaas", ".git", "coverage", "dist", "lib/gen", "node_modules"]);

/** One file of the repository; paths are relative to its root, with "/". */
export interface Source {
  readonly path: string;
  readonly text: string;
  /** Paths of our own files and names of packages, as `imports` resolves them. */
  readonly imports: readonly string[];
}

/** Every file of ours whose name ends in one of the extensions, in the order of their paths. */
export function filesEndingIn(...extensions: string[]): string[] {
  return filesOf("").filter((path) => extensions.some((extension) => path.endsWith(extension)));
}

/** Whether a file or folder exists. */
export function isThere(path: string): boolean {
  return existsSync(join(root, path));
}

/** The names of the folders directly in one. */
export function foldersIn(path: string): string[] {
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() && !foreign.has(entry.name) ? [entry.name] : []));
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export function sourceOf(path: string): Source {
  const text = textOf(path);
  return { path, text, imports: importsIn(text).map((specifier) => resolved(specifier, path)) };
}

/** What a program imports, types too: statements begin a line, so that examples in comments do not count. */
export function importsIn(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\b(?:[^;"']*?\bfrom)?\s*["']([^"']+)["']/gm);
  const calls = text.matchAll(/^(?!\s*(?:\*|\/\/)).*?\bimport\(\s*["']([^"']+)["']/gm);
  return [...statements, ...calls].map(([, specifier]) => specifier!);
}

/** A path of ours for a relative specifier; "node:fs" and "@grpc/grpc-js" stay; a package's inner path is dropped. */
function resolved(specifier: string, from: string): string {
  if (specifier.startsWith(".")) return posix.join(dirname(from), specifier);
  if (specifier.startsWith("node:") || specifier.startsWith("#")) return specifier;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (foreign.has(path) || foreign.has(entry.name)) return [];
      return entry.isDirectory() ? filesOf(path) : [path];
    });
}
