import { systemClock } from "../../../lib/clock.ts";
import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../../lib/log.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";
import { Occupancy } from "../batching/occupancy.ts";
import type { InferenceConfig } from "../config.ts";
import { inferHandlers } from "../handlers/infer.ts";
import { quietMethods } from "../handlers/open-inference.ts";
import type { AspiredVersion } from "../replicas/aspired-version.ts";
import { nodeReplicas } from "../replicas/node-replicas.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { RequestCount } from "../request-count.ts";
import { Tracing } from "../tracing/tracing.ts";
import { cpu } from "../worker/execution-providers.ts";
import { makeCalls } from "./caller.ts";
import { startEcho } from "./echo-thread.ts";
import { type RehearsedModel, rehearsedModels } from "./models.ts";

/**
 * Makes `rehearsalCalls` calls to a small node inside of this one, so that V8 has compiled what a call runs before others make many: at a
 * hundred calls a second it would take minutes to find that worth its while. All is as it is for others, from the socket to the thread of a
 * session and back, but that sessions give zeros at once. It is known to nobody, and leaves nothing behind.
 *
 * While the node has requests of others these give way. Settles with how many were answered; fewer where the signal was aborted before,
 * or they took longer than a minute.
 */
export async function rehearseCalls(
  node: InferenceConfig,
  requests: Pick<RequestCount, "outstanding">,
  signal: AbortSignal,
): Promise<number> {
  const config = { ...node, ...bounds };
  const models = rehearsedModels();
  const replicas = await rehearsedReplicas(config, models);
  const server = rehearsedServer(config, replicas);
  try {
    const shared = {
      port: await server.start(),
      path,
      givesWay: () => requests.outstanding > 0,
      signal: AbortSignal.any([signal, AbortSignal.timeout(msMax)]),
    };
    // Both kinds of models at once: code that was compiled for one alone would be compiled anew for the other.
    const count = Math.ceil(config.rehearsalCalls / models.length);
    const answered = await Promise.all(
      models.map(({ requests, inFlight }) => makeCalls({ ...shared, requests, inFlight, count })),
    );
    return answered.reduce((sum, each) => sum + each, 0);
  } finally {
    await server.stop();
    await replicas.stop();
  }
}

/** Settles when they have been loaded. */
function rehearsedReplicas(config: InferenceConfig, models: readonly RehearsedModel[]): Promise<ReplicaSet> {
  const signatures = new Map(models.map(({ aspired, signature }) => [sha256Of(aspired), signature]));
  return new Promise((resolve) => {
    const replicas: ReplicaSet = nodeReplicas(config, {
      artifacts: { fetch: async () => ({ path: "", wasCached: true }), discard: async () => undefined },
      startWorker: ({ modelFile }) => startEcho(signatures.get(modelFile.sha256)!),
      isolations: { of: () => "thread", distrust: () => undefined },
      offeredProviders: Promise.resolve([cpu]),
      nodeQueue: new Occupancy(config.nodeQueue),
      clock: systemClock,
      log: silence,
      onChange: () => {
        if (replicas.held.every(({ state }) => state.kind !== "loading")) resolve(replicas);
      },
    });
    replicas.aspire(models.map(({ aspired }) => aspired));
  });
}

function rehearsedServer(config: InferenceConfig, replicas: ReplicaSet): RpcServer {
  const { messageBytesMax } = config;
  const server = new RpcServer({ host: "127.0.0.1", port: 0, messageBytesMax, drainTimeoutMs: 0 }, silence);
  const tracing = new Tracing({ folder: "", bytesMax: 0, clock: systemClock, log: silence });
  const handlers = inferHandlers(replicas, new RequestCount(), tracing, config);
  server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", handlers, quietMethods);
  return server;
}

/** Those of the node may be too narrow even for so little. */
const queue = { requestsMax: 64, rowsMax: 64, bytesMax: 1024 ** 2 };
const bounds = { queue, nodeQueue: queue, messageBytesMax: 1024 ** 2, memoryBudgetBytes: 0 };
const silence = createLog("inference", "silent");
const path = "/inference.GRPCInferenceService/ModelInfer";
/** A machine that needs longer has no time to spare. */
const msMax = 60_000;

function sha256Of({ content }: AspiredVersion): string {
  return content.modelFile.sha256;
}
