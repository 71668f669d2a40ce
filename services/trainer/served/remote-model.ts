import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../../../lib/errors.ts";
import type { GRPCInferenceServiceDefinition } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { RpcClient, RpcOptions } from "../../../lib/rpc/client.ts";
import { relayedFault, remoteFaultOf, retryDelayMsOf } from "../../../lib/rpc/status.ts";
import type { DataType, Tensor, TensorSpec } from "../../../lib/tensor.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import { retryDelayMs } from "../queue/retry-delay.ts";
import type { Answering } from "./answering.ts";

/** How the nodes are called. */
export interface RemoteCalls {
  readonly requestId: string;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Attempts at a call that nobody can answer for now or that a limit on calls refuses, and the wait before the second one, doubled before
   * each further one; longer where the answer says so.
   */
  readonly attemptsMax: number;
  readonly retryDelayMs: number;
  readonly signal: AbortSignal;
}

/**
 * A version that nodes serve, asked by the Open Inference Protocol. Throws MODEL_NOT_FOUND or VERSION_NOT_FOUND, SERVICE_UNAVAILABLE once all
 * attempts are made, and the signal's reason.
 */
export async function openRemoteModel(
  client: RpcClient<GRPCInferenceServiceDefinition>,
  { model, version }: { readonly model: string; readonly version: number },
  calls: RemoteCalls,
): Promise<Answering> {
  const [name, number] = [model, String(version)];
  const { inputs, outputs } = await patiently(calls, (options) =>
    client.unary("ModelMetadata", { name, version: number }, options),
  );
  return {
    signature: { inputs: inputs.map(specOf), outputs: outputs.map(specOf) },
    async answer(tensors) {
      const request = {
        ...{ modelName: name, modelVersion: number },
        inputs: tensors.map((tensor) => ({ name: tensor.name, datatype: tensor.dataType, shape: [...tensor.shape] })),
        rawInputContents: tensors.map(({ bytes }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      };
      const reply = await patiently(calls, (options) => client.unary("ModelInfer", request, options));
      return reply.outputs.map(({ name, datatype, shape }, index): Tensor => {
        return {
          name,
          dataType: datatype as DataType,
          shape: shape.map(Number),
          bytes: reply.rawOutputContents[index]!,
        };
      });
    },
  };
}

interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (number | string)[];
}

function specOf({ name, datatype, shape }: TensorMetadata): TensorSpec {
  const sizes = shape.map(Number).map((size) => (size < 0 ? "?" : size));
  return { name, dataType: datatype as DataType, shape: sizes };
}

/** Makes a call again, with growing waits, while nobody can answer it and attempts are left. */
async function patiently<Reply>(calls: RemoteCalls, call: (options: RpcOptions) => Promise<Reply>): Promise<Reply> {
  const { requestId, timeoutMs, attemptsMax, signal } = calls;
  for (let attempt = 1; ; attempt++) {
    let waitMs: number;
    try {
      return await call({ requestId, timeoutMs, signal });
    } catch (failure) {
      signal.throwIfAborted();
      const { code, message, reason } = remoteFaultOf(failure);
      if (code === refused) throw datasetError(`the version refuses rows: ${message}`);
      const fault = reason === "LIMIT_EXCEEDED" ? unavailable(message, failure) : relayedFault(failure);
      if (fault.status !== "UNAVAILABLE" || attempt >= attemptsMax) throw fault;
      waitMs = Math.min(Math.max(retryDelayMs(calls, attempt), retryDelayMsOf(failure) ?? 0), waitMsMax);
    }
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function unavailable(message: string, cause: unknown): ServiceError {
  return new ServiceError("SERVICE_UNAVAILABLE", message, { cause });
}

/** The longest wait between two attempts, in milliseconds, whatever the answer says. */
const waitMsMax = 60_000;

/** The number of INVALID_ARGUMENT. */
const refused = 3;
