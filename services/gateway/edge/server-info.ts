import { Metadata, status } from "@grpc/grpc-js";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import type { Answer } from "./answer-unary.ts";

/** The extensions of the protocol that work through the gateway, whichever node answers. */
const extensions = ["classification", "sequence", "schedule_policy", "model_configuration", "parameters"];

/** What the gateway says of itself, in the words of the Open Inference Protocol. */
export const serverInfo = {
  live: () => replied("ServerLiveResponse", { live: true }),
  ready: (ready: boolean) => replied("ServerReadyResponse", { ready }),
  metadata: (name: string, version: string) => replied("ServerMetadataResponse", { name, version, extensions }),
  modelNotReady: () => replied("ModelReadyResponse", { ready: false }),
};

function replied(type: string, message: object): Answer {
  return {
    status: { code: status.OK, details: "", metadata: new Metadata() },
    message: encodeMessage("inference", `inference.${type}`, message),
  };
}
