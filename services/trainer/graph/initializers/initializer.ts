import { product } from "../../../../lib/onnx/shapes.ts";
import type { Random } from "../../../../lib/random.ts";
import { specError } from "../spec-error.ts";
import { normalNumbers, orthogonalMatrix, uniformNumbers } from "./draws.ts";

/** What a parameter begins with, by the names and formulas of `torch.nn.init`. */
export type Initializer =
  /** Evenly in ±g·√(3/fan) with g = √(2/(1 + slope²)) (He et al. 2015). */
  | ({ readonly kind: "kaiming_uniform" } & Kaiming)
  /** With the deviation g/√fan. */
  | ({ readonly kind: "kaiming_normal" } & Kaiming)
  /** Evenly in ±gain·√(6/(fanIn + fanOut)) (Glorot and Bengio 2010). */
  | ({ readonly kind: "xavier_uniform" } & Gain)
  /** With the deviation gain·√(2/(fanIn + fanOut)). */
  | ({ readonly kind: "xavier_normal" } & Gain)
  | ({ readonly kind: "normal" } & Normal)
  /** Drawn again where it is more than `bound` deviations from the mean; at least 0.1, and 2 by default. */
  | ({ readonly kind: "truncated_normal"; readonly bound?: number | undefined } & Normal)
  /** Evenly in [low, high), 0 and 1 by default. */
  | { readonly kind: "uniform"; readonly low?: number | undefined; readonly high?: number | undefined }
  | { readonly kind: "zeros" }
  | { readonly kind: "constant"; readonly value: number }
  /** Rows, or columns where they are fewer, at right angles and of the length `gain` (Saxe et al. 2014). */
  | ({ readonly kind: "orthogonal" } & Gain);

interface Kaiming {
  /** That of the activation behind it below 0; 0 by default, as of relu. */
  readonly slope?: number | undefined;
  /** Whether the fan counts connections out of an input, rather than into an output; false by default. */
  readonly fanOut?: boolean | undefined;
}

interface Gain {
  /** Above 0; 1 by default. */
  readonly gain?: number | undefined;
}

interface Normal {
  /** 0 by default. */
  readonly mean?: number | undefined;
  /** At least 0; 1 by default. */
  readonly deviation?: number | undefined;
}

interface InitializerKind<I> {
  /** Its numbers that are out of their range, with what is needed. */
  check(initializer: I, field: string, shape: readonly number[]): void;
  draw(initializer: I, shape: readonly number[], random: Random): Float32Array;
}

const kinds = {
  kaiming_uniform: {
    check: checkKaiming,
    draw: (kaiming, shape, random) => evenly(shape, Math.sqrt(3) * kaimingDeviation(kaiming, shape), random),
  },
  kaiming_normal: {
    check: checkKaiming,
    draw: (kaiming, shape, random) => normalNumbers(product(shape), 0, kaimingDeviation(kaiming, shape), random),
  },
  xavier_uniform: {
    check: checkGain,
    draw: (xavier, shape, random) => evenly(shape, Math.sqrt(3) * xavierDeviation(xavier, shape), random),
  },
  xavier_normal: {
    check: checkGain,
    draw: (xavier, shape, random) => normalNumbers(product(shape), 0, xavierDeviation(xavier, shape), random),
  },
  normal: {
    check: checkNormal,
    draw: ({ mean = 0, deviation = 1 }, shape, random) => normalNumbers(product(shape), mean, deviation, random),
  },
  truncated_normal: {
    check(normal, field) {
      checkNormal(normal, field);
      const { bound = 2 } = normal;
      if (!(bound >= 0.1)) throw specError(`${field}.bound`, bound, "a number of at least 0.1");
    },
    draw: ({ mean = 0, deviation = 1, bound = 2 }, shape, random) =>
      normalNumbers(product(shape), mean, deviation, random, bound),
  },
  uniform: {
    check({ low = 0, high = 1 }, field) {
      checkFinite(`${field}.low`, low);
      checkFinite(`${field}.high`, high);
      if (low > high) throw specError(`${field}.high`, high, `a number of at least low, ${low}`);
    },
    draw: ({ low = 0, high = 1 }, shape, random) => uniformNumbers(product(shape), low, high, random),
  },
  zeros: { check: () => undefined, draw: (_, shape) => new Float32Array(product(shape)) },
  constant: {
    check: ({ value }, field) => checkFinite(`${field}.value`, value),
    draw: ({ value }, shape) => new Float32Array(product(shape)).fill(value),
  },
  orthogonal: {
    check(initializer, field, shape) {
      checkGain(initializer, field);
      const [rows, columns] = matrixOf(shape);
      const work = Math.min(rows, columns) ** 2 * Math.max(rows, columns);
      if (work <= orthogonalWorkMax) return;
      throw specError(field, `orthogonal, for a weight of [${shape}]`, "another one, because that would take too long");
    },
    draw: ({ gain = 1 }, shape, random) => orthogonalMatrix(...matrixOf(shape), gain, random),
  },
} as const satisfies { [K in Initializer["kind"]]: InitializerKind<Extract<Initializer, { kind: K }>> };

/** Products of two numbers, of which there are about 10⁹ in two seconds. */
const orthogonalWorkMax = 2 ** 33;

/** Throws SPEC_INVALID for an initializer, in `field`, that is unknown, out of its range or not for a parameter of this shape. */
export function checkInitializer(initializer: Initializer, field: string, shape: readonly number[]): void {
  if (!Object.hasOwn(kinds, initializer.kind)) {
    throw specError(`${field}.kind`, initializer.kind, `one of ${Object.keys(kinds).join(", ")}`);
  }
  const usesFans = /^(kaiming|xavier|orthogonal)/.test(initializer.kind);
  if (usesFans && shape.length < 2) {
    throw specError(`${field}.kind`, initializer.kind, `one that does without fans, for a parameter of [${shape}]`);
  }
  kindOf(initializer).check(initializer, field, shape);
}

/** The elements of a parameter, row-major. */
export function drawn(initializer: Initializer, shape: readonly number[], random: Random): Float32Array {
  return kindOf(initializer).draw(initializer, shape, random);
}

/** Connections into an output and out of an input, as PyTorch counts them: by axis 1 and axis 0 of a weight, times the window. */
function fansOf([out, into, ...window]: readonly number[]): { readonly in: number; readonly out: number } {
  return { in: into * product(window), out: out * product(window) };
}

function kaimingDeviation({ slope = 0, fanOut = false }: Kaiming, shape: readonly number[]): number {
  return Math.sqrt(2 / (1 + slope ** 2) / fansOf(shape)[fanOut ? "out" : "in"]);
}

function xavierDeviation({ gain = 1 }: Gain, shape: readonly number[]): number {
  const fans = fansOf(shape);
  return gain * Math.sqrt(2 / (fans.in + fans.out));
}

function evenly(shape: readonly number[], bound: number, random: Random): Float32Array {
  return uniformNumbers(product(shape), -bound, bound, random);
}

function matrixOf([rows, ...columns]: readonly number[]): [rows: number, columns: number] {
  return [rows, product(columns)];
}

function checkKaiming({ slope = 0 }: Kaiming, field: string): void {
  checkFinite(`${field}.slope`, slope);
}

function checkGain({ gain = 1 }: Gain, field: string): void {
  if (!(gain > 0 && gain < Infinity)) throw specError(`${field}.gain`, gain, "a finite number above 0");
}

function checkNormal({ mean = 0, deviation = 1 }: Normal, field: string): void {
  checkFinite(`${field}.mean`, mean);
  if (!(deviation >= 0 && deviation < Infinity)) {
    throw specError(`${field}.deviation`, deviation, "a finite number of at least 0");
  }
}

function checkFinite(field: string, value: number): void {
  if (!Number.isFinite(value)) throw specError(field, value, "a finite number");
}

/** The table's entry, its type widened: the caller hands it the initializer it was looked up with. */
function kindOf({ kind }: Initializer): InitializerKind<Initializer> {
  return kinds[kind] as unknown as InitializerKind<Initializer>;
}
