import { encodeMessage } from "../../lib/rpc/protos.ts";
import type { IndexEntry } from "./repository-index.ts";

/** The extensions of the protocol that work through the gateway, whichever node answers. */
const extensions = [
  "classification",
  "sequence",
  "schedule_policy",
  "model_configuration",
  "binary_tensor_data",
  "parameters",
];

const noSharedMemory = "shared memory is not served: send tensors as raw_input_contents";

/** What the gateway says of itself, in the words of the Open Inference Protocol. */
export const serverInfo = {
  live: () => replied("ServerLiveResponse", { live: true }),
  ready: (ready: boolean) => replied("ServerReadyResponse", { ready }),
  metadata: (name: string, version: string) => replied("ServerMetadataResponse", { name, version, extensions }),
  index: (entries: readonly IndexEntry[], ready: boolean) =>
    replied("RepositoryIndexResponse", { models: ready ? entries.filter(({ state }) => state === "READY") : entries }),
  modelNotReady: () => replied("ModelReadyResponse", { ready: false }),
};

/** Calls that a gateway cannot forward, since they are about one node or about no node at all, and what to do instead. */
export const refusals = {
  TraceSetting: "trace settings are a node's own: ask the node",
  LogSettings: "log settings are a node's own: ask the node, or set AMAAS_LOG_LEVEL",
  SystemSharedMemoryStatus: noSharedMemory,
  SystemSharedMemoryRegister: noSharedMemory,
  SystemSharedMemoryUnregister: noSharedMemory,
  CudaSharedMemoryStatus: noSharedMemory,
  CudaSharedMemoryRegister: noSharedMemory,
  CudaSharedMemoryUnregister: noSharedMemory,
} as const;

function replied(type: string, message: object): Buffer {
  return encodeMessage("inference", `inference.${type}`, message);
}
