import { readFile } from "node:fs/promises";
import { splitRows } from "../../lib/split.ts";

/** One handwritten digit. */
export interface Digit {
  /** 64 grey levels from 0 to 16, row by row. */
  readonly pixels: readonly number[];
  /** 0 to 9. */
  readonly digit: number;
}

/** The file's bytes, and the digits in it in the order of its lines. */
export interface Dataset {
  readonly bytes: Buffer;
  readonly digits: readonly Digit[];
}

/** Reads examples/digits/digits.csv. */
export async function readDataset(): Promise<Dataset> {
  const bytes = await readFile(new URL("examples/digits/digits.csv", import.meta.resolve("#package.json")));
  const rows = bytes.toString().trim().split("\n");
  const digits = rows.map((row) => {
    const cells = row.split(",").map(Number);
    return { pixels: cells.slice(0, -1), digit: cells[cells.length - 1] };
  });
  return { bytes, digits };
}

/** The digits that a job with this validation share and seed holds out: its model has never seen them. */
export function heldOut({ digits }: Dataset, validationShare: number, seed: number): readonly Digit[] {
  return Array.from(splitRows(digits.length, validationShare, seed).validation, (row) => digits[row]);
}

const shades = [" ", "░", "▒", "▓", "█"];

/** Eight lines of text that show a digit. */
export function drawn({ pixels }: Digit): readonly string[] {
  const shade = (level: number) => shades[Math.round((level / 16) * (shades.length - 1))].repeat(2);
  return Array.from({ length: 8 }, (_, row) =>
    pixels
      .slice(row * 8, row * 8 + 8)
      .map(shade)
      .join(""),
  );
}
