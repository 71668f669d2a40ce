import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { serviceDefinition } from "../../../lib/rpc/protos.ts";
import { inferPath } from "../../inference/requests.ts";

/** What anybody would write first: a grpc-js server whose handler decodes a call and makes it anew with a grpc-js client. Answers its port. */
export function listen(nodePort: number): Promise<number> {
  const definition = serviceDefinition("inference.GRPCInferenceService").ModelInfer!;
  const client = new Client(`127.0.0.1:${nodePort}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const handle = (call: ServerUnaryCall<object, object>, answer: sendUnaryData<object>) => {
    const { requestSerialize, responseDeserialize } = definition;
    const deadline = call.getDeadline();
    client.makeUnaryRequest(
      inferPath,
      requestSerialize as (message: object) => Buffer,
      responseDeserialize as (bytes: Buffer) => object,
      call.request,
      call.metadata,
      { deadline },
      (failure, reply) => answer(failure, reply),
    );
  };
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  const { requestDeserialize, responseSerialize } = definition;
  server.register(inferPath, handle as never, responseSerialize as never, requestDeserialize as never, "unary");
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}
