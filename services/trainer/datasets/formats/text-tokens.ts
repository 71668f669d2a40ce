import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { datasetError } from "./dataset-error.ts";
import type { Tokenizer } from "./file-format.ts";

type BytePairs = Exclude<Tokenizer, "bytes">;

/** Each brings a vocabulary of several MB, which is only loaded where it is used. GPT-2's is also known as r50k_base. */
const encodings = {
  gpt2: () => import("gpt-tokenizer/encoding/r50k_base"),
  cl100k_base: () => import("gpt-tokenizer/encoding/cl100k_base"),
  o200k_base: () => import("gpt-tokenizer/encoding/o200k_base"),
} as const satisfies Record<BytePairs, unknown>;

/**
 * Writes the tokens of a text in UTF-8 to a file, as INT32 in this machine's byte order. They are those of the whole text, though it is
 * encoded in pieces, as long as it has a space or a line end between words about every MiB. Throws DATASET_INVALID for bytes that are no
 * UTF-8.
 */
export async function writeTokens(path: string, tokensPath: string, tokenizer: BytePairs): Promise<void> {
  const { encode } = await encodings[tokenizer]();
  // Names of special tokens in a text are text.
  const options = { disallowedSpecial: new Set<string>() };
  const file = await open(tokensPath, "w");
  try {
    for await (const piece of textPieces(path)) await file.write(Int32Array.from(encode(piece, options)));
  } finally {
    await file.close();
  }
}

/** A text in pieces that end where no encoding has a token across. */
async function* textPieces(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let [rest, offset] = ["", 0];
  const decoded = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw datasetError(
        `the text is no UTF-8 in the ${pieceBytes} bytes from ${offset} on; needed: UTF-8, or the tokenizer "bytes"`,
      );
    }
  };
  for await (const bytes of createReadStream(path, { highWaterMark: pieceBytes })) {
    rest += decoded(bytes as Buffer);
    offset += (bytes as Buffer).length;
    const end = lastCut(rest);
    if (end > 0) yield rest.slice(0, end);
    rest = rest.slice(end);
  }
  rest += decoded();
  if (rest !== "") yield rest;
}

const pieceBytes = 2 ** 20;

/**
 * The last place to cut: behind a line end or before a space that is alone between two characters that are no blanks; such a line end ends
 * a token, and such a space begins one, in all these encodings, but for o200k_base before a slash. Without one it is the end.
 */
function lastCut(text: string): number {
  for (let index = text.length - 2; index > 0; index--) {
    const around = text.slice(index - 1, index + 2);
    if (/^\S \S$/.test(around)) return index;
    if (/^\S\n[^\s/]$/.test(around)) return index + 1;
  }
  return text.length;
}
