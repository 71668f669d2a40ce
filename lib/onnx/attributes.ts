import type { Attribute } from "./graph.ts";

/** Attributes by their kinds: `int(1)` and `float(1)` are different ones. */
export const int = (value: number): Attribute => ({ kind: "int", value });
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const string = (value: string): Attribute => ({ kind: "string", value });
