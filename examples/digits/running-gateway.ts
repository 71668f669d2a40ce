import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import type { SuiteConfig } from "../../supervisor/config.ts";
import { reachableHost } from "../../supervisor/ports.ts";

/** The address of a gateway that already answers where the suite's own would; undefined if there is none. */
export async function runningGateway({ host, ports }: SuiteConfig): Promise<string | undefined> {
  const address = `${reachableHost(host)}:${ports.gateway}`;
  if (ports.gateway === 0) return undefined;
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", address);
  try {
    await client.unary("ServerMetadata", {}, { timeoutMs: 2000 });
    return address;
  } catch {
    return undefined;
  } finally {
    client.close();
  }
}
