import { ServiceError } from "../../../lib/errors.ts";
import type { Signature, TensorSpec } from "../../../lib/tensor.ts";

/**
 * Refuses signatures that requests cannot have, or that take too long to compare: too many inputs or outputs, two of one name, too many
 * axes, and texts that a message cannot carry. Throws ARTIFACT_INVALID that says which.
 */
export function checkSignature({ inputs, outputs }: Signature): void {
  checkSide("input", inputs);
  checkSide("output", outputs);
}

/** Refuses models with too many kinds of operators, by the names that operators have in the contract. Throws ARTIFACT_INVALID. */
export function checkOperators(operators: Readonly<Record<string, number>>): void {
  const names = Object.keys(operators);
  checkCount("kinds of operators", names.length, operatorsMax);
  for (const name of names) checkText("the name of an operator", name, nameCharactersMax);
}

/** Refuses models that import too many operator sets: each is looked up in the runtime. Throws ARTIFACT_INVALID. */
export function checkOpsetImports(domains: readonly string[]): void {
  checkCount("imports of operator sets", domains.length, opsetImportsMax);
  for (const domain of domains) checkText("the domain of an operator set", domain, symbolCharactersMax);
}

/** Bounds of what a model may have. */
const tensorsMax = 4096;
const axesMax = 64;
const operatorsMax = 4096;
const opsetImportsMax = 64;
const nameCharactersMax = 1024;
/** Also what nodes can report of the domains of operator sets. */
const symbolCharactersMax = 256;

function checkSide(role: "input" | "output", specs: readonly TensorSpec[]): void {
  checkCount(`${role}s`, specs.length, tensorsMax);
  const names = new Set<string>();
  for (const { name, shape } of specs) {
    checkText(`the name of an ${role}`, name, nameCharactersMax);
    const label = `${role} ${JSON.stringify(name)}`;
    if (names.has(name)) throw refusal(`it has more than one ${label}`, "each name once");
    names.add(name);
    if (shape.length > axesMax) throw refusal(`its ${label} has ${shape.length} axes`, `at most ${axesMax}`);
    for (const size of shape) {
      if (typeof size === "string") checkText(`the name of a size of its ${label}`, size, symbolCharactersMax);
    }
  }
}

function checkCount(what: string, count: number, countMax: number): void {
  if (count > countMax) throw refusal(`it has ${count} ${what}`, `at most ${countMax}`);
}

/** Neither databases nor messages can carry everything that bytes of a file may be read as. */
function checkText(what: string, text: string, charactersMax: number): void {
  if (text.length > charactersMax) {
    throw refusal(`${what} has ${text.length} characters`, `at most ${charactersMax}`);
  }
  if (/[\0\p{Surrogate}]/u.test(text)) {
    throw refusal(`${what} is ${JSON.stringify(text)}`, "well-formed Unicode without NUL");
  }
}

function refusal(seen: string, needed: string): ServiceError {
  return new ServiceError("ARTIFACT_INVALID", `not a model that can be served: ${seen}; needed: ${needed}`);
}
