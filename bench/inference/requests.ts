import { Random } from "../../lib/random.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { elementBytes } from "../../lib/tensor.ts";
import { heavyTensors } from "./models.ts";

/** The path of the method that the load calls. */
export const inferPath = "/inference.GRPCInferenceService/ModelInfer";

/** Requests to a small model, as base64, each with other inputs. */
export function smallRequests(model: string): string[] {
  return manyOf(model, (random) => Float32Array.from({ length: 784 }, () => random.uniform()), "x", "FP32");
}

/** Requests to a heavy model. */
export function heavyRequests(model: string): string[] {
  const { tokens, vocabulary } = heavyTensors;
  const ids = (random: Random) =>
    BigInt64Array.from({ length: tokens }, () => BigInt(Math.floor(random.uniform() * vocabulary)));
  return manyOf(model, ids, "ids", "INT64");
}

const requestCount = 16;

function manyOf(
  modelName: string,
  elementsOf: (random: Random) => Float32Array | BigInt64Array,
  name: string,
  datatype: "FP32" | "INT64",
): string[] {
  const random = new Random(3, "requests");
  return Array.from({ length: requestCount }, () => {
    const { buffer, byteLength } = elementsOf(random);
    const request = {
      modelName,
      inputs: [{ name, datatype, shape: ["1", String(byteLength / elementBytes[datatype])] }],
      rawInputContents: [Buffer.from(buffer)],
    };
    return encodeMessage("inference", "inference.ModelInferRequest", request).toString("base64");
  });
}
