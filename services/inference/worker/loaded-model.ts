import { hasBfloat16, narrowed, widened, withoutBfloat16 } from "../../../lib/onnx/bfloat16.ts";
import { checkCarried } from "../../../lib/onnx/carriers.ts";
import { defaultsModel, defaultsOf, withoutDefaults } from "../../../lib/onnx/defaults.ts";
import { checkExternalFiles } from "../../../lib/onnx/external-data.ts";
import { withLabels } from "../../../lib/onnx/labels.ts";
import { type ModelProto, readModel, writeModel } from "../../../lib/onnx/model.ts";
import { signatureOf } from "../../../lib/onnx/signature.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import type { DeviceLock } from "./device-lock.ts";
import { cpu } from "./execution-providers.ts";
import { keptOf } from "./kept-tensors.ts";
import { isQuick } from "./quick.ts";
import { openSession, type Session, type SessionOptions } from "./runtime.ts";
import type { ThreadStart } from "./thread-protocol.ts";
import { readVerified } from "./verified-file.ts";

/** A model that can be run. */
export interface LoadedModel {
  readonly signature: Signature;
  readonly session: Session;
  /** Threads of the runtime inside one operator. */
  readonly intraOpThreads: number;
  /** The outputs that the session keeps on its device, where they are wanted so. */
  readonly kept: readonly string[];
}

/**
 * Loads a model. Its session is made of the very bytes whose digests were checked, and of nothing else: where the ONNX file
 * names a file that was not given, the runtime would read it from the disk.
 */
export async function loadModel(start: ThreadStart, deviceLock?: DeviceLock): Promise<LoadedModel> {
  const { modelFile, externalFiles, executionProviders, intraOpThreads, keeps } = start;
  const bytes = readVerified(modelFile);
  const model = readModel(bytes);
  checkExternalFiles(
    model,
    externalFiles.map(({ location }) => location),
  );
  const signature = withLabels(signatureOf(model), model);
  checkCarried(signature);
  const externalData = externalFiles.map((file) => ({ path: file.location, data: readVerified(file) }));
  const kept = keptOf(keeps, signature);
  const open = (threads: number) => {
    const options = { executionProviders, intraOpThreads: threads, externalData, kept, deviceLock };
    return hasBfloat16(signature) ? openBfloat16(model, signature, options) : openPlain(model, bytes, options);
  };
  const isLight = executionProviders[0] === cpu && bytesOf(start) <= lightBytesMax;
  if (start.findsThreads && intraOpThreads > 1 && isLight) {
    const session = await open(1);
    if (await isQuick(session, signature)) return { signature, session, intraOpThreads: 1, kept };
    await session.release();
  }
  return { signature, session: await open(intraOpThreads), intraOpThreads, kept };
}

/** A larger model needs longer than a millisecond to read its weights alone; it would be loaded twice for nothing. */
const lightBytesMax = 16 * 1024 ** 2;

function bytesOf({ modelFile, externalFiles }: ThreadStart): number {
  return [modelFile, ...externalFiles].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Runs with FP32 in the place of BF16, which the runtime's binding does not have. */
async function openBfloat16(model: ModelProto, { outputs }: Signature, options: SessionOptions): Promise<Session> {
  const wide = withoutBfloat16(model);
  const session = await openPlain(wide, writeModel(wide), options);
  const narrow = new Set(outputs.filter(({ dataType }) => dataType === "BF16").map(({ name }) => name));
  return {
    ...session,
    run: async (inputs, outputNames) => {
      const { outputs: given, phases } = await session.run(inputs.map(widened), outputNames);
      return { outputs: given.map((tensor) => (narrow.has(tensor.name) ? narrowed(tensor) : tensor)), phases };
    },
  };
}

function openPlain(model: ModelProto, bytes: Uint8Array, options: SessionOptions): Promise<Session> {
  return defaultsOf(model).length === 0 ? openSession(bytes, options) : openWithDefaults(model, options);
}

/** The runtime's binding ignores values for inputs that have a default; so the model loses its defaults, and each run adds them. */
async function openWithDefaults(model: ModelProto, options: SessionOptions): Promise<Session> {
  const defaults = await defaultTensors(model, options);
  const session = await openSession(writeModel(withoutDefaults(model)), options);
  return {
    ...session,
    run: (inputs, outputNames) => {
      const given = new Set(inputs.map(({ name }) => name));
      return session.run([...inputs, ...defaults.filter(({ name }) => !given.has(name))], outputNames);
    },
  };
}

async function defaultTensors(model: ModelProto, options: SessionOptions): Promise<readonly Tensor[]> {
  // They are constants, whatever the model runs on.
  const session = await openSession(writeModel(defaultsModel(model)), {
    ...options,
    executionProviders: [cpu],
    kept: [],
  });
  try {
    const names = defaultsOf(model).map(({ name = "" }) => name);
    return (await session.run([], names)).outputs;
  } finally {
    await session.release();
  }
}
