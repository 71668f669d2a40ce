import type { NetworkSpec } from "../../services/trainer/graph/network-spec.ts";

/** A network that is trained here and by PyTorch, on batches of one shape. */
export interface BenchNetwork {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly loss: "mse" | "cross_entropy";
  readonly batchRows: number;
  /** Steps of one round: about a second or two. */
  readonly roundSteps: number;
  /** The same network for peer/train.py. */
  readonly peer: { readonly kind: string; readonly sizes: readonly number[] };
  readonly input: Drawn;
  readonly target: Drawn;
  /** Why it is slower than it should be where it is. */
  readonly ifSlow?: string;
}

/** What is drawn for a row: classes in [0, classes), or numbers in [0, 1) where there are none. */
export interface Drawn {
  readonly shape: readonly number[];
  readonly classes: number;
}

const shapes = [
  [64, 100, 200, 100, 500],
  [32, 784, 128, 10, 500],
  [256, 784, 512, 10, 100],
  [128, 256, 512, 256, 200],
  [64, 512, 2048, 512, 50],
  [128, 1024, 4096, 1024, 8],
] as const;

/** Rows, inputs, hidden and outputs from 64-100-200-100 to 128-1024-4096-1024; mean squared error. */
export const denseNetworks: readonly BenchNetwork[] = shapes.map(
  ([batchRows, inputs, hidden, outputs, roundSteps]) => ({
    name: `dense ${batchRows}-${inputs}-${hidden}-${outputs}`,
    spec: { kind: "mlp", inputShape: [inputs], hiddenSizes: [hidden], outputSize: outputs },
    loss: "mse",
    batchRows,
    roundSteps,
    peer: { kind: "mlp", sizes: [inputs, hidden, outputs] },
    input: { shape: [inputs], classes: 0 },
    target: { shape: [outputs], classes: 0 },
  }),
);

/** Of 4 layers, width 256, 4 heads, context 128, vocabulary 96. */
export const gpt: BenchNetwork = {
  name: "GPT of 4 layers, 8 rows",
  spec: { kind: "gpt", tokenCount: 96, context: 128, width: 256, layerCount: 4, headCount: 4 },
  loss: "cross_entropy",
  batchRows: 8,
  roundSteps: 10,
  peer: { kind: "gpt", sizes: [128, 256, 4, 4, 96] },
  ifSlow:
    "a third of a step is passes over elements that PyTorch joins, such as the gradients of Gelu and of LayerNormalization",
  input: { shape: [128], classes: 96 },
  target: { shape: [128], classes: 96 },
};

/** As LeNet-5, on images of 28×28. */
export const lenet: BenchNetwork = {
  name: "LeNet-like, 64 rows",
  spec: { kind: "cnn", inputShape: [1, 28, 28], outputSize: 10 },
  loss: "cross_entropy",
  batchRows: 64,
  roundSteps: 60,
  peer: { kind: "lenet", sizes: [] },
  ifSlow: "products of so few channels are narrow, and a third of a step is passes that put their operands in order",
  input: { shape: [1, 28, 28], classes: 0 },
  target: { shape: [], classes: 10 },
};

export const resnet18: BenchNetwork = {
  name: "ResNet-18 at 32×32, 32 rows",
  spec: { kind: "resnet18", inputShape: [3, 32, 32], outputSize: 10 },
  loss: "cross_entropy",
  batchRows: 32,
  roundSteps: 2,
  peer: { kind: "resnet18", sizes: [] },
  ifSlow: "convolutions with strides are the runtime's ConvTranspose and products of what is cut out by one thread",
  input: { shape: [3, 32, 32], classes: 0 },
  target: { shape: [], classes: 10 },
};
