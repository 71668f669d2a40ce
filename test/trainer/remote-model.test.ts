import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type {
  GRPCInferenceServiceDefinition,
  GRPCInferenceServiceHandlers,
} from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../lib/log.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { openRemoteModel } from "../../services/trainer/served/remote-model.ts";

describe("a version that nodes serve, behind a limit on calls,", () => {
  let server: RpcServer;
  let client: RpcClient<GRPCInferenceServiceDefinition>;
  let limited: number;
  let callTimes: number[];
  before(async () => {
    const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 20, drainTimeoutMs: 0 };
    server = new RpcServer(config, createLog("gateway", "silent"));
    server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", {
      ModelMetadata: ({ name }) => {
        callTimes.push(performance.now());
        if (limited-- > 0) throw new ServiceError("LIMIT_EXCEEDED", "1 call per second", { retryDelayMs: 60 });
        return { name, inputs: [], outputs: [] };
      },
    });
    client = new RpcClient("inference.GRPCInferenceService", `127.0.0.1:${await server.start()}`);
  });
  beforeEach(() => {
    callTimes = [];
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  const calls = { requestId: "", timeoutMs: 10_000, attemptsMax: 3, retryDelayMs: 1 };
  const opened = () =>
    openRemoteModel(client, { model: "m", version: 1 }, { ...calls, signal: new AbortController().signal });

  it("is asked again, not before the limit says so", async () => {
    limited = 2;
    expect((await opened()).signature.inputs).to.deep.equal([]);
    expect(callTimes).to.have.length(3);
    expect(callTimes[1]! - callTimes[0]!).to.be.at.least(59);
  });

  it("is given up when all attempts are made", async () => {
    limited = 3;
    const failure = await opened().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(failure).to.include({ reason: "SERVICE_UNAVAILABLE", message: "1 call per second" });
  });
});
