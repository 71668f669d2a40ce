import { expect } from "chai";
import fc from "fast-check";
import { Account } from "../../../services/gateway/limits/account.ts";
import { type Cost, units } from "../../../services/gateway/limits/cost.ts";
import { Share, type ShareGrant, type ShareRequest } from "../../../services/gateway/limits/share.ts";
import { ManualClock } from "../../manual-clock.ts";
import { limitedModel } from "./limited-model.ts";

/** What gateways share, with answers that come when they are let go. */
class Pool {
  readonly #left: Cost;
  readonly #slotsMax: number;
  readonly #slots = new Map<object, number>();
  readonly #answers: (() => void)[] = [];

  constructor(left: Cost, slotsMax: number) {
    this.#left = { ...left };
    this.#slotsMax = slotsMax;
  }

  /** What is left, and what nobody has. */
  readonly ask = (gateway: object) => (request: ShareRequest) =>
    new Promise<ShareGrant>((resolve) => {
      this.#answers.push(() => resolve(this.#granted(gateway, request)));
    });

  /** Answers all that was asked, and all that is asked then. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await this.answer();
  }

  /** Answers what was asked first. */
  async answer(): Promise<void> {
    this.#answers.shift()?.();
    for (let turn = 0; turn < 5; turn++) await undefined;
  }

  #granted(gateway: object, { wanted, running, slots }: ShareRequest): ShareGrant {
    const granted = { requests: 0, rows: 0, bytes: 0 };
    const left = this.#left as Record<keyof Cost, number>;
    for (const unit of units) {
      granted[unit] = Math.min(wanted[unit], left[unit]);
      left[unit] -= granted[unit];
    }
    const others = [...this.#slots].reduce((sum, [other, held]) => (other === gateway ? sum : sum + held), 0);
    const held = Math.max(running, Math.min(slots, this.#slotsMax - others));
    this.#slots.set(gateway, held);
    return { granted, slots: held };
  }
}

describe("the share of a gateway", () => {
  const limits = limitedModel({ requestsPerSecond: 1000, concurrentRequests: 20 }).traffic!.perPrincipal!;
  const cost = { requests: 1, rows: 1, bytes: 1 };

  it("refuses nobody as long as there is something left, whatever comes while others wait", () => {
    const step = fc.record({
      what: fc.constantFrom("takes", "takes", "ends", "ends", "answer", "look"),
      count: fc.integer({ min: 1, max: 12 }),
    });
    return fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new ManualClock();
        const pool = new Pool({ requests: 1e6, rows: 0, bytes: 0 }, 20);
        const account = new Account("a", limits);
        const share = new Share(account, pool.ask(account), clock);
        const refusals: unknown[] = [];
        let running = 0;
        const hear = (excess: unknown) => {
          if (excess === undefined) running++;
          else refusals.push(excess);
        };
        const take = () => {
          account.take(cost, true, clock.monotonicMs());
          const outcome = share.take(cost, true);
          if (outcome instanceof Promise) void outcome.then(hear);
          else hear(outcome);
        };
        for (const { what, count } of steps) {
          if (what === "answer") await pool.answer();
          if (what === "look") share.look();
          for (let index = 0; index < count; index++) {
            if (what === "takes" && account.running < 20) take();
            if (what === "ends" && running > 0) {
              running--;
              account.release();
            }
          }
          clock.advance(1);
        }
        await pool.settle();
        expect(refusals).to.deep.equal([]);
      }),
      { numRuns: 1000 },
    );
  });

  it("never lets in more than was shared out, by how many gateways ever", () => {
    const step = fc.record({ gateway: fc.nat(2), isSettled: fc.boolean(), isEnd: fc.boolean() });
    return fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const clock = new ManualClock();
        const pool = new Pool({ requests: 60, rows: 0, bytes: 0 }, 5);
        const accounts = [0, 1, 2].map(() => new Account("a", limits));
        const shares = accounts.map((account) => new Share(account, pool.ask(account), clock));
        const running = [0, 0, 0];
        let admitted = 0;
        for (const { gateway, isSettled, isEnd } of steps) {
          if (isEnd && running[gateway]! > 0) {
            running[gateway]!--;
            accounts[gateway]!.release();
          } else {
            accounts[gateway]!.take(cost, true, clock.monotonicMs());
            void Promise.resolve(shares[gateway]!.take(cost, true)).then((excess) => {
              if (excess !== undefined) return;
              running[gateway]!++;
              admitted++;
            });
          }
          if (isSettled) await pool.settle();
          else await undefined;
          clock.advance(5);
          if (clock.monotonicMs() % 250 === 0) for (const share of shares) share.look();
          expect(running.reduce((sum, count) => sum + count)).to.be.at.most(5);
          expect(admitted).to.be.at.most(60);
        }
      }),
    );
  });

  it("goes back where nobody uses it, and is fetched again", async () => {
    const clock = new ManualClock();
    const pool = new Pool({ requests: 100, rows: 0, bytes: 0 }, 20);
    const accounts = [new Account("a", limits), new Account("a", limits)] as const;
    const [first, second] = accounts.map((account) => new Share(account, pool.ask(account), clock)) as [Share, Share];
    const take = async (index: 0 | 1, share: Share) => {
      accounts[index].take(cost, true, clock.monotonicMs());
      const outcome = Promise.resolve(share.take(cost, true));
      await pool.settle();
      return outcome;
    };
    for (let count = 0; count < 20; count++) expect(await take(0, first)).to.equal(undefined);
    expect(await take(1, second)).to.deep.include({ unit: "concurrent" });
    for (let count = 0; count < 20; count++) accounts[0].release();
    for (let look = 0; look < 3; look++) {
      first.look();
      await pool.settle();
      clock.advance(250);
    }
    expect(first.isIdle).to.equal(true);
    for (let count = 0; count < 20; count++) expect(await take(1, second)).to.equal(undefined);
  });
});
