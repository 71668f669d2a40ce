import { createReadStream } from "node:fs";
import { datasetError } from "./dataset-error.ts";

/** A line with something on it. */
export interface TextLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** Goes through the lines of a file that are not blank; throws DATASET_INVALID for one of more than so many bytes. */
export async function* textLines(path: string, bytesMax: number): AsyncGenerator<TextLine> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let begin = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
      line++;
      const text = textOf(bytes.subarray(begin, end), line, bytesMax);
      if (text !== "") yield { line, text };
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
    if (rest.length > bytesMax) textOf(rest, line + 1, bytesMax);
  }
  const text = textOf(rest, line + 1, bytesMax);
  if (text !== "") yield { line: line + 1, text };
}

function textOf(bytes: Buffer, line: number, bytesMax: number): string {
  if (bytes.length > bytesMax)
    throw datasetError(`line ${line} has more than ${bytesMax} bytes`, { place: `line ${line}` });
  return bytes
    .toString()
    .replace(/^\uFEFF/, "")
    .trim();
}
