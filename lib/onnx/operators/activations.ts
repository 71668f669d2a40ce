import { assert } from "../../errors.ts";
import { isFloat } from "../element-type.ts";
import { broadcastShape } from "../shapes.ts";
import { type Inference, one, stringOf } from "./inference.ts";

const activation: Inference = one(([{ dataType, shape }]) => {
  assert(isFloat(dataType), `activations take floats, not ${dataType}`);
  return { dataType, shape };
});

/** Non-linear functions between the layers of a network. */
export const activationOperators = {
  Relu: activation,
  LeakyRelu: activation,
  ThresholdedRelu: activation,
  PRelu: one(([x, slope]) => {
    assert(x.dataType === slope.dataType, `x and slope have one data type, not ${x.dataType} and ${slope.dataType}`);
    const shape = broadcastShape(x.shape, slope.shape);
    assert(`${shape}` === `${x.shape}`, `a slope of [${slope.shape}] broadcasts to [${x.shape}]`);
    return { dataType: x.dataType, shape };
  }),
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
