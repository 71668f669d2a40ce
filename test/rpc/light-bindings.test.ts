import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { execFile } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
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
    this.timeout(120_000);
    const program = fileURLToPath(new URL(`kept-by-requests${extname(import.meta.url)}`, import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, "--expose-gc", program]);
    // With Node's own bindings it is more than 5,000 bytes of each.
    expect(Number(stdout)).to.be.below(3000);
  });
});
