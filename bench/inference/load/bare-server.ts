import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { inferPath } from "../requests.ts";

/** A server of bare grpc-js that answers every inference with the same bytes, and reads none. Answers its port. */
export function listenEmpty(replyBase64: string): Promise<number> {
  const unchanged = (bytes: Buffer) => bytes;
  const reply = Buffer.from(replyBase64, "base64");
  const handle = (_: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => answer(null, reply);
  const server = new Server();
  server.register(inferPath, handle as never, unchanged, unchanged, "unary");
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}
