import { withBlockedConvolutions } from "../../../lib/onnx/blocked-convolutions.ts";
import { withBlockedProducts } from "../../../lib/onnx/blocked-products.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { withGatheredTransposes } from "../../../lib/onnx/gathered-transposes.ts";
import type { Graph } from "../../../lib/onnx/graph.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import type { Device } from "./device.ts";
import { channelBlock } from "./runtime.ts";

/** The file of a graph whose weights change, in the form that its device runs fastest. */
export async function modelFileOf(graph: Graph, device: Device = "cpu"): Promise<Uint8Array> {
  const block = device === "cpu" ? await channelBlock() : undefined;
  const shared = device === "cpu" ? withGatheredTransposes(graph) : graph;
  return writeModel(modelOf(block === undefined ? shared : inBlocks(shared, block)));
}

function inBlocks(graph: Graph, block: number): Graph {
  return withBlockedProducts(withBlockedConvolutions(graph, block), block);
}
