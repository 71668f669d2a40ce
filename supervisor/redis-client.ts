import { connect } from "node:net";

const answerTimeoutMs = 1_000;

/** Sends one inline command to the Redis behind a Unix socket; settles with the first bytes of its reply. */
export function redisReply(socketPath: string, command: string): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect(socketPath, () => socket.write(`${command}\r\n`));
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error(`no answer within ${answerTimeoutMs} ms`)));
    socket.once("error", fail);
    socket.once("data", (bytes) => {
      settle(bytes.toString());
      socket.destroy();
    });
    socket.once("close", () => fail(new Error("closed without an answer")));
  });
}
