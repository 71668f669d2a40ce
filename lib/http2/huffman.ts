import { ConnectionFault, errorCode } from "./faults.ts";

/** The bits of each byte's code, and of the end's, which is the last. Source: RFC 7541, appendix B. */
// biome-ignore format: one row for 16 bytes
const codeBits: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const endSymbol = 256;

/** What a bit leads to: another place of the tree, or, below zero, a symbol. */
type Branch = [zero: number, one: number];

/** The text that so many bytes of Huffman code stand for. Throws a `ConnectionFault`. */
export function huffmanText(bytes: Buffer, begin: number, end: number): string {
  let length = 0;
  let place = 0;
  /** Bits since the last symbol, and whether all of them are ones. */
  let bits = 0;
  let areOnes = true;
  // No code has less than 5 bits.
  const text = scratch(Math.floor(((end - begin) * 8) / 5));
  for (let index = begin; index < end; index++) {
    const byte = bytes[index]!;
    for (let shift = 7; shift >= 0; shift--) {
      const bit = (byte >> shift) & 1;
      place = tree[place]![bit]!;
      bits++;
      areOnes &&= bit === 1;
      if (place >= 0) continue;
      const symbol = ~place;
      if (symbol === endSymbol) throw unreadable("it has the end inside");
      text[length++] = symbol;
      place = 0;
      bits = 0;
      areOnes = true;
    }
  }
  if (bits > 7 || !areOnes) throw unreadable("it ends inside of a symbol");
  return text.toString("latin1", 0, length);
}

function unreadable(why: string): ConnectionFault {
  return new ConnectionFault(errorCode.compression, `a text in Huffman code cannot be read: ${why}`);
}

/** The codes are numbered upwards, those of fewer bits first, and among them by symbol. */
function codeTree(): readonly Branch[] {
  const branches: Branch[] = [[0, 0]];
  const symbols = [...codeBits.keys()].sort((one, other) => codeBits[one]! - codeBits[other]! || one - other);
  let code = 0;
  let bits = codeBits[symbols[0]!]!;
  for (const symbol of symbols) {
    code *= 2 ** (codeBits[symbol]! - bits);
    bits = codeBits[symbol]!;
    let place = 0;
    for (let shift = bits - 1; shift > 0; shift--) {
      const branch = branches[place]!;
      const bit = (code >> shift) & 1;
      if (branch[bit] === 0) branch[bit] = branches.push([0, 0]) - 1;
      place = branch[bit]!;
    }
    branches[place]![code & 1] = ~symbol;
    code++;
  }
  return branches;
}

const tree = codeTree();

let kept = Buffer.allocUnsafeSlow(1024);

/** So many bytes to write to, until the next text. */
function scratch(bytes: number): Buffer {
  if (bytes > kept.length) kept = Buffer.allocUnsafeSlow(bytes);
  return kept;
}
