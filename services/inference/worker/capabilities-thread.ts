import { parentPort } from "node:worker_threads";
import { assert } from "../../../lib/errors.ts";
import { newestOpset } from "../../../lib/onnx/newest-opset.ts";
import type { RuntimeCapabilities } from "./capabilities.ts";
import { cpu } from "./execution-providers.ts";
import { openSession, runtimeName } from "./runtime.ts";

// The entry of a thread that says once what the runtime can do, and ends.
assert(parentPort !== null, "this file is run as a thread");

const options = { executionProviders: [cpu], intraOpThreads: 1, externalData: [] };
const opsets = { "ai.onnx": await newestOpset("", loads), "ai.onnx.ml": await newestOpset("ai.onnx.ml", loads) };
const capabilities: RuntimeCapabilities = { runtime: runtimeName(), opsets };
parentPort.postMessage(capabilities);

async function loads(model: Uint8Array): Promise<boolean> {
  try {
    const session = await openSession(model, options);
    await session.release();
    return true;
  } catch {
    return false;
  }
}
