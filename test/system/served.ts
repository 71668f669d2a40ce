import { setTimeout as sleep } from "node:timers/promises";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";

/** Settles once a version of a model is loaded and routed; rejects with the last answer after ten seconds. */
export async function served(
  inference: RpcClient<GRPCInferenceServiceDefinition>,
  name: string,
  version = "",
): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  for (let last: unknown; ; await sleep(20)) {
    if (Date.now() > deadlineMs) throw new Error(`${name} ${version} is not served`, { cause: last });
    try {
      if ((await inference.unary("ModelReady", { name, version }, { deadlineMs })).ready) return;
    } catch (failure) {
      last = failure;
    }
  }
}
