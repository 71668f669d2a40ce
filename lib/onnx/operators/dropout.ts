import { assert } from "../../errors.ts";
import { type Inference, taking } from "./inference.ts";

/** Operators that leave elements out by chance. */
export const dropoutOperators = {
  /** The second output is true where an element was kept. */
  Dropout: taking("floats", ([x, ratio]) => {
    const known = ratio?.elements === undefined ? 0 : Number(ratio.elements[0]);
    assert(known >= 0 && known < 1, `the ratio ${known} is in [0, 1)`);
    return [
      { dataType: x.dataType, shape: x.shape },
      { dataType: "BOOL", shape: x.shape },
    ];
  }),
} as const satisfies Record<string, Inference>;
