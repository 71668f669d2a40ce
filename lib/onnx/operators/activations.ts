import { assert } from "../../errors.ts";
import { broadcastShape } from "../shapes.ts";
import { commonType, type Inference, one, stringOf, taking } from "./inference.ts";

const activation = taking(
  "floats",
  one(([{ dataType, shape }]) => ({ dataType, shape })),
);

/** Non-linear functions between the layers of a network. */
export const activationOperators = {
  Relu: activation,
  LeakyRelu: activation,
  ThresholdedRelu: activation,
  PRelu: taking(
    "floats",
    one(([x, slope]) => {
      const shape = broadcastShape(x.shape, slope.shape);
      assert(`${shape}` === `${x.shape}`, `a slope of [${slope.shape}] broadcasts to [${x.shape}]`);
      return { dataType: commonType([x, slope]), shape };
    }),
  ),
  Elu: activation,
  Celu: activation,
  Selu: activation,
  Sigmoid: activation,
  HardSigmoid: activation,
  HardSwish: activation,
  Tanh: activation,
  Softplus: activation,
  Softsign: activation,
  Gelu: (inputs, attributes) => {
    const approximation = stringOf(attributes, "approximate", "none");
    assert(/^(none|tanh)$/.test(approximation), `Gelu's approximate is none or tanh, not ${approximation}`);
    return activation(inputs, attributes);
  },
  Mish: activation,
} as const satisfies Record<string, Inference>;
