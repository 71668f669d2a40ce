/** What may tell two versions apart, in the contract's words without their prefix; docs/compatibility.md has the rules. */
export type DifferenceKind =
  | "REQUIRED_INPUT_ADDED"
  | "OPTIONAL_INPUT_ADDED"
  | "INPUT_REMOVED"
  | "INPUT_RENAMED"
  | "INPUT_REQUIRED"
  | "INPUT_OPTIONAL"
  | "OUTPUT_ADDED"
  | "OUTPUT_REMOVED"
  | "OUTPUT_RENAMED"
  | "TYPE_WIDENED"
  | "TYPE_NARROWED"
  | "TYPE_CHANGED"
  | "RANK_CHANGED"
  | "SIZE_CHANGED"
  | "SIZE_FREED"
  | "SIZE_FIXED"
  | "OPSET_UNSUPPORTED"
  | "DEVICE_UNSUPPORTED";

/** One thing that tells a new version from an old one. It breaks something in at least one direction. */
export interface Difference extends Breakage {
  readonly kind: DifferenceKind;
  /** Where, such as "inputs.pixels.shape[1]". */
  readonly path: string;
  /** What the old version has; empty where it has nothing. */
  readonly oldValue: string;
  /** What the new version has; empty where it has nothing. */
  readonly newValue: string;
  /** What has become of it in the new version, such as `input "pixels" is gone`. */
  readonly message: string;
}

/** Whose requests fail. */
export interface Breakage {
  /** Those of clients of the old version, with the new version. */
  readonly breaksBackward: boolean;
  /** Those of clients of the new version, with the old version. */
  readonly breaksForward: boolean;
}

/** What a version takes, and what it gives. */
export type Side = "inputs" | "outputs";

/** What fits the new version, beside what fits the old one: all of that and more, only some of it, or something else. */
export type Relation = "MORE" | "LESS" | "OTHER";

/** To take more breaks no client of the old version. To give more does: it may get what it never got. */
export function breakageOf(side: Side, relation: Relation): Breakage {
  const harmless = side === "inputs" ? "MORE" : "LESS";
  return {
    breaksBackward: relation !== harmless,
    breaksForward: relation === "OTHER" || relation === harmless,
  };
}
