import { messageOf } from "../../../lib/errors.ts";
import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import { builtProviders } from "./binding.ts";
import type { ProbeReply } from "./probe-protocol.ts";
import { openSession } from "./runtime.ts";

// The entry of a process that says whether an execution provider, its argument, works, and ends.
const [, , provider] = process.argv;

process.send!(await probe().catch((failure): ProbeReply => ({ kind: "fails", why: messageOf(failure) })));
process.disconnect();

async function probe(): Promise<ProbeReply> {
  const built = builtProviders();
  if (!built.includes(provider)) {
    return { kind: "fails", why: `the runtime was built for ${built.join(", ")} on this platform` };
  }
  const options = { executionProviders: [provider], intraOpThreads: 1, externalData: [] };
  const session = await openSession(probeModel(), options);
  const x = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
  const { outputs } = await session.run([{ name: "x", dataType: "FP32", shape: [2, 2], bytes: x }], ["y"]);
  const found = [...new Float32Array(outputs[0].bytes.buffer, outputs[0].bytes.byteOffset, 4)];
  await session.release();
  const product = [7, 10, 15, 22];
  const isRight = found.every((value, index) => Math.abs(value - product[index]) < 0.1);
  return isRight ? { kind: "works" } : { kind: "fails", why: `it computes ${found} where ${product} is right` };
}

/** `y` = `x`·`x`, a matrix product: what devices have libraries of their own for. */
function probeModel(): Uint8Array {
  const graph = new GraphBuilder("probe");
  const x = graph.input("x", "FP32", ["n", "n"]);
  graph.output("y", graph.matMul(x, x));
  return writeModel(modelOf(graph.graph()));
}
