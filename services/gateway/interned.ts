/**
 * The one string with this text, as V8 has it for names of properties: those of a few hundred nodes stand in the routes of ten thousand
 * models, and to look one up it is not read then, nor brought into a cache. Not for texts that are whole numbers.
 */
export function interned(text: string): string {
  return Object.keys({ [text]: true })[0]!;
}
