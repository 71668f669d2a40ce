import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";

/**
 * The newest operator set of a domain that can be loaded, 0 where none can; ONNX's own domain is "". `loads` answers whether a
 * model can be; it is asked about some small ones, as if every version from 1 to the newest could.
 */
export async function newestOpset(domain: string, loads: (model: Uint8Array) => Promise<boolean>): Promise<number> {
  const isThere = (version: number) => loads(modelOfOpset(domain, version));
  let below = 0;
  let above = 1;
  while (above < versionsMax && (await isThere(above))) {
    below = above;
    above *= 2;
  }
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (await isThere(middle)) below = middle;
    else above = middle;
  }
  return below;
}

/** Far above every version that there will be. */
const versionsMax = 2 ** 16;

/** A model that gives its input back, and asks for an operator set. */
function modelOfOpset(domain: string, version: number): Uint8Array {
  const graph = new GraphBuilder("identity");
  graph.output("y", graph.input("x", "FP32", [1]));
  const opsetImport =
    domain === ""
      ? [{ domain, version }]
      : [
          { domain: "", version: oldVersion },
          { domain, version },
        ];
  return writeModel({ ...modelOf(graph.graph()), opsetImport });
}

/** A version of ONNX's own operators that every runtime has. */
const oldVersion = 13;
