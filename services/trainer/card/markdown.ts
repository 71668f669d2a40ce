import { escapedXml } from "./svg.ts";

/** A text as it stands in Markdown and in HTML, on one line; cut off after so many characters. */
export function plain(text: string, lengthMax = 200): string {
  const line = (text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text).replace(/\s+/g, " ");
  return escapedXml(line).replace(/[\\`*_{}[\]()|~]/g, "\\$&");
}

/** A table of plain texts; undefined without rows. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string | undefined {
  if (rows.length === 0) return undefined;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const texts = rows.map((row) => line(row.map((cell) => plain(cell))));
  return [line(header.map((cell) => plain(cell))), line(header.map(() => "---")), ...texts].join("\n");
}

/** A part of a document with its heading; nothing where it has no content. */
export function section(heading: string, ...content: readonly (string | undefined)[]): readonly string[] {
  const there = content.filter((part) => part !== undefined);
  return there.length === 0 ? [] : [`## ${heading}`, ...there];
}

/** A number with as many digits as one reads. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}
