import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { elementBytes, elementCount, type Signature, type TensorSpec } from "../../../lib/tensor.ts";
import { type BatchSettings, unbatched } from "../batching/batch-settings.ts";
import type { AspiredVersion } from "../replicas/aspired-version.ts";

/** A model that there is not, and what is asked of it. */
export interface RehearsedModel {
  readonly aspired: AspiredVersion;
  readonly signature: Signature;
  /** Encoded, with bytes as most clients send them. */
  readonly requests: readonly Uint8Array[];
  /** Requests at the same time: more than run, so that some wait; and few, so that a turn of the event loop stays short. */
  readonly inFlight: number;
}

/** One whose requests run alone, and one whose are joined. */
export function rehearsedModels(): readonly RehearsedModel[] {
  return [
    rehearsedModel("alone", undefined, {
      inputs: [
        { name: "ids", dataType: "INT64", shape: ["batch", 128] },
        { name: "mask", dataType: "FP32", shape: ["batch", 128], optional: true },
      ],
      outputs: [{ name: "y", dataType: "FP32", shape: ["batch", 256] }],
    }),
    rehearsedModel(
      "joined",
      { ...unbatched, maxBatchSize: 8, requestRowsMax: 8 },
      {
        inputs: [{ name: "x", dataType: "FP32", shape: ["batch", 784] }],
        outputs: [{ name: "y", dataType: "FP32", shape: ["batch", 10] }],
      },
    ),
  ];
}

function rehearsedModel(model: string, batching: BatchSettings | undefined, signature: Signature): RehearsedModel {
  const { inputs } = signature;
  const needed = inputs.filter(({ optional }) => !optional);
  const aspired: AspiredVersion = {
    model,
    version: 1,
    content: { variant: "default", modelFile: { sha256: model, sizeBytes: 0 }, externalFiles: [] },
    settings: {
      executionProviders: [],
      instanceGroups: [{ executionProvider: "", count: 1, intraOpThreads: 1 }],
      isolation: undefined,
      queueRequestsMax: 0,
      queueRowsMax: 0,
      queueBytesMax: 0,
      defaultTimeoutMs: 0,
      batching,
      sequences: undefined,
      decoupled: undefined,
      warmUps: [],
    },
    aliases: [],
    versionPolicy: undefined,
    memoryBytes: 0,
    isOnDemand: false,
  };
  return { aspired, signature, requests: [request(model, needed), request(model, inputs)], inFlight: 8 };
}

/** Of one row of zeros. */
function request(modelName: string, inputs: readonly TensorSpec[]): Uint8Array {
  const shaped = inputs.map(({ name, dataType: datatype, shape }) => ({
    name,
    datatype,
    shape: shape.map((size) => (typeof size === "number" ? size : 1)),
  }));
  return encodeMessage("inference", "inference.ModelInferRequest", {
    modelName,
    inputs: shaped.map((input) => ({ ...input, shape: input.shape.map(String) })),
    rawInputContents: shaped.map(({ datatype, shape }) => Buffer.alloc(elementCount(shape) * elementBytes[datatype]!)),
  });
}
