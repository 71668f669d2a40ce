import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { operators } from "../../lib/onnx/operators/operators.ts";
import { gradientRules } from "../../services/trainer/graph/rules/gradient-rules.ts";
import { gradientFixtures } from "../fixtures/gradients-torch.ts";
import { fileOf } from "../repository.ts";
import type { Case } from "./gradient-cases/case.ts";
import { cases } from "./gradient-cases/cases.ts";

/** Where the document of all operators lies. Run this file to write it anew. */
export const documentPath = "docs/training-operators.md";

/** What can be trained, from the tables of operators, rules, cases and fixtures. */
export function operatorsDocument(): string {
  const ruled = Object.keys(gradientRules).filter(hasRule).sort();
  const others = Object.keys(operators)
    .filter((operator) => !hasRule(operator))
    .sort();
  const fixtures = Object.values(gradientFixtures()).flat();
  const rows = ruled.map((operator) => {
    const torchCount = fixtures.filter((fixture) => fixture.operator === operator).length;
    return `| ${operator} | ${checkOf(cases[operator])} | ${torchCount === 0 ? "" : torchCount} |`;
  });
  return `${introduction}

| operator | central differences | cases of PyTorch |
|---|---|---|
${rows.join("\n")}

A loss may use these too, but no gradient passes through them: ${others.join(", ")}. Nor does one pass through integers and
truth values: a parameter that reaches the loss only through them is refused, as one that the loss does not depend on.
`;
}

const introduction = `# Operators that can be trained

This file is written by \`node --import tsx test/trainer-engine/operators-document.ts\` from the tables of operators
(\`lib/onnx/operators\`), of their gradients (\`services/trainer/graph/rules\`), of the cases that they are checked with and of
PyTorch's fixtures; a test fails when it is stale.

Any graph of these operators can be differentiated, with all their attributes in operator set 18 or the one that they came with. An
operator that is not here, an attribute whose gradient is not supported and control flow between a parameter and the loss are
refused with SPEC_INVALID, which names the node.

Each gradient is compared with central differences over random shapes: in double precision; where the runtime has no kernel for
that, with those of the same function out of other operators in double precision, or else in single precision. Where PyTorch has the
operator, outputs and gradients are compared with its too, ties and kinks included: equal operands of Min and Max, and equal elements of
ReduceMin and ReduceMax, share the gradient; what is at a bound of Clip counts as outside.`;

function hasRule(operator: string): boolean {
  return (gradientRules as Readonly<Record<string, unknown>>)[operator] !== undefined;
}

function checkOf(variants: readonly Case[]): string {
  const kinds = variants.map(({ composed, dataType = "FP64" }) =>
    composed === undefined
      ? { FP64: "double precision", FP32: "single precision" }[dataType]
      : "composed in double precision",
  );
  return [...new Set(kinds)].join(", ");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(fileOf(documentPath), operatorsDocument());
