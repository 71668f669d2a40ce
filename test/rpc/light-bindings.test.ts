import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "chai";
import { lightenBindings } from "../../lib/rpc/light-bindings.ts";

describe("functions bound to an asynchronous resource", () => {
  before(lightenBindings);

  it("run in its scope, with what they are given, on what they are called on or on what was said", () => {
    const storage = new AsyncLocalStorage<string>();
    const resource = storage.run("then", () => new AsyncResource("test"));
    const told = function (this: unknown, a: number, b: number) {
      return [this, storage.getStore(), a, b];
    };
    expect(storage.run("now", () => resource.bind(told).call("self", 1, 2))).to.deep.equal(["self", "then", 1, 2]);
    const bind = resource.bind.bind(resource) as unknown as (bound: typeof told, self: unknown) => typeof told;
    expect(bind(told, "other").call("self", 1, 2)).to.deep.equal(["other", "then", 1, 2]);
  });

  it("hold no request of HTTP/2 until a full collection", async function () {
    this.timeout(30_000);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void;
    const server = createServer((_, response) => response.end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ask = async (count: number) => {
      for (let done = 0; done < count; done++) await once(session.request({ ":path": "/" }).resume(), "close");
    };
    await ask(100);
    collect();
    const count = 400;
    await ask(count);
    for (let time = 0; time < 4; time++) collect({ type: "minor" });
    const { heapUsed } = process.memoryUsage();
    collect();
    const bytesPerRequest = (heapUsed - process.memoryUsage().heapUsed) / count;
    session.close();
    server.close();
    // With Node's own bindings it is more than 5,000.
    expect(bytesPerRequest).to.be.below(3000);
  });
});
