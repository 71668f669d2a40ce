import type { Signature } from "../../../lib/tensor.ts";
import { type WarmUp, warmUpInputs } from "../warm-up/warm-up-inputs.ts";
import type { Session } from "./runtime.ts";

/**
 * Whether a session of one thread needs less than a millisecond for one row of zeros. More threads would gain such a model next to
 * nothing, and cost it the wait for all of them at every operator, which takes long where the cores are busy. What cannot be run
 * with zeros is not quick.
 */
export async function isQuick(session: Pick<Session, "run">, signature: Signature): Promise<boolean> {
  const outputNames = signature.outputs.map(({ name }) => name);
  try {
    // The first run allocates, and a busy machine delays others.
    for (let attempt = 0; attempt <= attemptsMax; attempt++) {
      const { phases } = await session.run(
        warmUpInputs(signature, oneRow, () => 0),
        outputNames,
      );
      if (phases.computeMs < quickMs) return true;
      if (phases.computeMs > slowMs) return false;
    }
    return false;
  } catch {
    return false;
  }
}

const oneRow: WarmUp = { kind: "zeros", rowCount: 1, runCount: 1, inputs: [] };
const attemptsMax = 3;
const quickMs = 1;
/** Not even a busy machine makes that of a quick run. */
const slowMs = 50;
