import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect } from "chai";
import { boundPipelines } from "../../../services/gateway/rest/pipelines.ts";
import { eventually } from "../harness.ts";

describe("requests that a connection sends without waiting for answers", () => {
  const openMax = 4;
  const bodyBytes = 40_000;
  const server = createServer();
  let waiting: { readonly path: string; readonly response: ServerResponse }[] = [];
  let begun = 0;

  before(async () => {
    boundPipelines(server, openMax);
    server.on("request", async (request, response) => {
      begun++;
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      waiting.push({ path: `${request.url} ${bytes}`, response });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  beforeEach(() => {
    [waiting, begun] = [[], 0];
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const requestOf = (index: number) =>
    `POST /${index} HTTP/1.1\r\nhost: x\r\ncontent-length: ${bodyBytes}\r\n\r\n${"x".repeat(bodyBytes)}`;
  const connected = async () => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  };

  it("are read a few at a time, whole, and all answered in their order", async () => {
    const count = 200;
    const socket = await connected();
    let answers = "";
    socket.on("data", (bytes) => {
      answers += bytes;
    });
    for (let index = 0; index < count; index++) socket.write(requestOf(index));
    for (let answered = 0; answered < count; answered++) {
      await eventually(() => expect(waiting).not.to.be.empty);
      // The body of the last one is read on, and others may come with its end.
      expect(begun - answered).to.be.at.most(2 * openMax);
      const { path, response } = waiting.shift()!;
      response.end(path);
      await once(response, "close");
    }
    const paths = Array.from({ length: count }, (_, index) => `/${index} ${bodyBytes}`);
    await eventually(() => expect([...answers.matchAll(/\/\d+ \d+/g)].map(([path]) => path)).to.deep.equal(paths));
    socket.destroy();
  });

  it("of another connection are not held for them", async () => {
    const [busy, other] = [await connected(), await connected()];
    for (let index = 0; index < 50; index++) busy.write(requestOf(index));
    await eventually(() => expect(begun).to.be.at.least(openMax));
    other.write("GET /other HTTP/1.1\r\nhost: x\r\n\r\n");
    await eventually(() => expect(waiting.map(({ path }) => path)).to.include("/other 0"));
    for (const socket of [busy, other]) socket.destroy();
  });
});
