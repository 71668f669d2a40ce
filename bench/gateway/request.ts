import { encodeMessage } from "../../lib/rpc/protos.ts";

/** An encoded inference request with a tensor of so many bytes, as base64. */
export function requestOf(tensorBytes: number, modelName = "m"): string {
  const request = {
    modelName,
    inputs: [{ name: "x", datatype: "UINT8", shape: ["1", String(tensorBytes)] }],
    rawInputContents: [Buffer.alloc(tensorBytes, 7)],
  };
  return encodeMessage("inference", "inference.ModelInferRequest", request).toString("base64");
}
