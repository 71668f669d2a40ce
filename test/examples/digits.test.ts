import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { screenOf } from "../../examples/digits/screen.ts";
import { programArgs } from "../repository.ts";

/** What a screen writes for the epochs 1 to 25 and a line. */
function written(isTTY: boolean): string[] {
  const texts: string[] = [];
  const screen = screenOf({ isTTY, write: (text: string) => texts.push(text) });
  for (let epoch = 1; epoch <= 25; epoch++) screen.status(`epoch ${epoch}`, epoch % 10 === 0 || epoch === 25);
  screen.line("trained");
  return texts;
}

describe("the screen of the demo", () => {
  it("writes only milestones where a line can't be replaced", () => {
    expect(written(false)).to.deep.equal(["epoch 10\n", "epoch 20\n", "epoch 25\n", "trained\n"]);
  });

  it("shows every status on a terminal, in place", () => {
    const texts = written(true);
    expect(texts).to.have.length(26);
    expect(texts.slice(0, 2)).to.deep.equal(["\r\x1b[Kepoch 1", "\r\x1b[Kepoch 2"]);
    expect(texts.at(-1)).to.equal("\r\x1b[Ktrained\n");
  });
});

describe("the demo at a running suite", function () {
  this.timeout(60_000);
  let gateway: Http2Server;
  let demo: ChildProcess | undefined;
  beforeEach(async () => {
    gateway = metadataOnly();
    await once(gateway.listen(0, "127.0.0.1"), "listening");
  });
  afterEach(() => {
    demo?.kill("SIGKILL");
    gateway.close();
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it(`ends with exit code 130 on ${signal}`, async () => {
      const { port } = gateway.address() as AddressInfo;
      demo = spawn(process.execPath, programArgs("examples/digits/main"), {
        env: { PATH: process.env.PATH, AMAAS_GATEWAY_PORT: String(port) },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [text] = await once(demo.stdout!.setEncoding("utf8"), "data");
      expect(text).to.contain(`already running at 127.0.0.1:${port}`);
      demo.kill(signal);
      expect(await once(demo, "exit")).to.deep.equal([130, null]);
    });
  }
});

/** A gateway that answers ServerMetadata with an empty message and nothing else, so that the demo waits. */
function metadataOnly(): Http2Server {
  return createServer().on("stream", (stream, headers) => {
    stream.on("error", () => undefined);
    if (!headers[":path"]?.endsWith("/ServerMetadata")) return;
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.alloc(5));
  });
}
