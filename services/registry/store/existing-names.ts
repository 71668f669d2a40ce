/** At most ten names as one text, for messages that say what exists. */
export function namesOf(names: readonly (string | number)[]): string {
  if (names.length === 0) return "none";
  return names.slice(0, 10).join(", ") + (names.length > 10 ? ", …" : "");
}
