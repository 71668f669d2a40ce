import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import type { Row } from "./figures.ts";

/** Rows as a table for people. */
export function tableOf(rows: readonly Row[]): string {
  const head = ["metric", "value", "unit", "baseline", "ratio", "goal", "met"];
  const cells = rows.map(({ metric, value, unit, baseline, ratio, goal, met }) => [
    metric,
    value === null ? "" : short(value),
    unit,
    baseline === null ? "" : short(baseline),
    ratio === null ? "" : ratio.toFixed(2),
    goal ?? "",
    met === null ? "" : met ? "yes" : "NO",
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => row.map((cell, column) => padded(cell, column, widths[column]!)).join("  ");
  const notes = rows.flatMap(({ metric, reason }) => (reason === undefined ? [] : [`NOT MET ${metric}: ${reason}`]));
  return [line(head), ...cells.map(line), ...notes].map((text) => text.trimEnd()).join("\n");
}

/** Numbers stand right. */
function padded(cell: string, column: number, width: number): string {
  return [1, 3, 4].includes(column) ? cell.padStart(width) : cell.padEnd(width);
}

function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  return String(Number(value.toPrecision(4)));
}

/** Keeps what a bench has measured, in the file that is committed. */
export function writeResults(root: string, name: string, rows: readonly Row[]): string {
  const path = `bench/results/${name}.json`;
  mkdirSync(`${root}/bench/results`, { recursive: true });
  const results = { name, date: new Date().toISOString(), commit: commitOf(root), machine: machine(), rows };
  writeFileSync(`${root}/${path}`, `${JSON.stringify(results, rounded, 2)}\n`);
  return path;
}

/** Six digits say more than a noisy machine knows. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(6)) : value;
}

function commitOf(root: string): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  try {
    const changed = git("status", "--porcelain", "--", ".", ":!bench/results");
    return `${git("rev-parse", "HEAD")}${changed === "" ? "" : ", with changes"}`;
  } catch {
    return "unknown";
  }
}

function machine() {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
  };
}
