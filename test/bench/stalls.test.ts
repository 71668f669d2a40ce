import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { rowOf } from "../../bench/harness/figures.ts";
import { stallRows, withStalls } from "../../bench/harness/stalls.ts";

describe("the stalls of a node under a load", () => {
  /** What a node says whose event loop was that often not later than 5 ms, than 20 ms, and at all. */
  const text = ([upTo5, upTo20, all]: readonly number[], stallCount: number, maxSeconds: number) => `
amaas_event_loop_delay_seconds_bucket{le="0.005"} ${upTo5}
amaas_event_loop_delay_seconds_bucket{le="0.02"} ${upTo20}
amaas_event_loop_delay_seconds_bucket{le="+Inf"} ${all}
amaas_event_loop_stalls_total ${stallCount}
amaas_event_loop_delay_max_seconds ${maxSeconds}
`;

  const seen = async (...texts: readonly string[]) => {
    const left = [...texts];
    const server = createServer((_, response) => response.end(left.shift()));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const node = { pid: process.pid, metricsPort: (server.address() as AddressInfo).port };
      return await withStalls(node, async () => ({ calls: 7 }));
    } finally {
      server.close();
    }
  };

  it("are those between two readings, beside what the load gives", async () => {
    const figures = await seen(text([100, 100, 101], 1, 0.3), text([150, 152, 153], 3, 0.3));
    expect(figures).to.include({ calls: 7, stallCount: 2, longestMs: 20 });
  });

  it("are not longer than the longest of all", async () => {
    const figures = await seen(text([100, 100, 100], 0, 0.004), text([150, 152, 152], 2, 0.0125));
    expect(figures.longestMs).to.equal(12.5);
  });

  it("stand beside what the machine did to a process that did nothing, and to the node", async () => {
    const { waitMsPerSecond, idle } = await seen(text([1, 1, 1], 0, 0.004), text([1, 1, 1], 0, 0.004));
    expect(waitMsPerSecond).to.be.within(0, 1000);
    expect(idle.lateCount > 0).to.equal(idle.latestMs > 10);
  });

  it("meet their goals only where there were none", () => {
    const machine = { waitMsPerSecond: 0, idle: { lateCount: 0, latestMs: 0 } };
    const met = (stallCount: number, longestMs: number) =>
      stallRows(
        "m",
        [
          { ...machine, stallCount: 0, longestMs: 2 },
          { ...machine, stallCount, longestMs },
        ],
        "the machine was idle",
      ).flatMap((row) => rowOf(row).met ?? []);
    expect([met(0, 10), met(1, 20)]).to.deep.equal([
      [true, true],
      [false, false],
    ]);
  });
});
