import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { framed } from "../../lib/rpc/framing.ts";
import { statusOf } from "../../lib/rpc/status.ts";
import { endOfLoss } from "../../services/gateway/call/call-end.ts";
import { Connections } from "../../services/gateway/forward/connections.ts";
import { Forwarder, type ForwarderParts } from "../../services/gateway/forward/forwarder.ts";
import { Latencies } from "../../services/gateway/forward/latencies.ts";
import { RetryBudget } from "../../services/gateway/forward/retry-budget.ts";
import type { Hedging } from "../../services/gateway/route-facts.ts";
import { ManualClock } from "../manual-clock.ts";
import { FakeNode, type NodeHandler } from "./fake-node.ts";
import { StubCall } from "./stub-call.ts";

describe("the budget of retries", () => {
  it("never gives more than its share of the calls and ten a second", () => {
    const steps = fc.array(fc.record({ calls: fc.nat(50), retries: fc.nat(50), ms: fc.nat(500) }), { maxLength: 100 });
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 0.2, 1), (all, share) => {
        const clock = new ManualClock();
        const budget = new RetryBudget(share, clock);
        let calls = 0;
        let taken = 0;
        let seconds = 0;
        for (const step of all) {
          for (let call = 0; call < step.calls; call++, calls++) budget.noteCall();
          for (let retry = 0; retry < step.retries; retry++) if (budget.take()) taken++;
          clock.advance(step.ms);
          seconds += step.ms / 1000;
        }
        expect(taken).to.be.at.most(share === 0 ? 0 : share * calls + 10 * (seconds + 1) + 1e-6);
      }),
    );
  });

  it("gives its share to the many, and ten a second to the few", () => {
    const clock = new ManualClock();
    const budget = new RetryBudget(0.2, clock);
    const takenOf = (count: number) => Array.from({ length: count }, () => budget.take()).filter(Boolean).length;
    expect(takenOf(100)).to.equal(10);
    for (let call = 0; call < 1000; call++) budget.noteCall();
    expect(takenOf(1000)).to.be.within(199, 200);
    clock.advance(500);
    expect(takenOf(100)).to.equal(5);
  });
});

describe("latencies of late", () => {
  it("know every quantile to a tenth, and nothing while they are few", () => {
    const latencies = new Latencies();
    for (let ms = 1; ms < 100; ms++) latencies.note(ms);
    expect(latencies.quantile(0.5)).to.equal(undefined);
    latencies.note(100);
    for (const share of [0.1, 0.5, 0.95, 1]) {
      expect(latencies.quantile(share)).to.be.within(100 * share, 100 * share * 1.11);
    }
  });

  it("follow what changes", () => {
    const latencies = new Latencies();
    for (let count = 0; count < 10_000; count++) latencies.note(100);
    for (let count = 0; count < 10_000; count++) latencies.note(1);
    expect(latencies.quantile(0.95)).to.be.below(1.2);
  });

  it("take any number", () => {
    const latencies = new Latencies();
    for (let count = 0; count < 50; count++) for (const ms of [0, 1e12]) latencies.note(ms);
    expect(latencies.quantile(0.4)).to.be.below(0.1);
  });
});

describe("a forwarder", () => {
  let nodes: FakeNode[];
  let connections: Connections;
  let forwarder: Forwarder;
  let attempts: string[];

  beforeEach(async () => {
    nodes = await Promise.all([1, 2, 3, 4].map(() => new FakeNode().start()));
    connections = new Connections({ connectTimeoutMs: 2000 });
    attempts = [];
    const onAttempt: ForwarderParts["onAttempt"] = (_, { node, isCut }) => {
      if (!isCut) attempts.push(node);
    };
    forwarder = new Forwarder(
      { attemptsMax: 3, retryShare: 0.2 },
      { nodes: connections, onAttempt, clock: new ManualClock() },
    );
  });
  afterEach(async () => {
    connections.close();
    await Promise.all(nodes.map((node) => node.stop()));
  });

  const forward = (hedging?: Hedging, call = new StubCall()) => {
    const replicas = nodes.map(({ address }) => address);
    const route = { model: "m", version: 1, replicas, reason: "", memory: {} };
    const choose = ([first]: readonly string[]) => first!;
    return forwarder.forward({ call, message: framed(Buffer.from("x")), route, replicas, choose, hedging });
  };
  const answersWith =
    (text: string): NodeHandler =>
    (_, reply) =>
      reply(null, Buffer.from(text));
  const lost: NodeHandler = (_, reply) => reply(statusOf(new ServiceError("WORKER_LOST", "it died")));
  const handle = (...handlers: NodeHandler[]) => {
    for (const [index, handler] of handlers.entries()) nodes[index]!.handle = handler;
  };

  it("asks one replica after the other, as many as it may", async () => {
    handle(lost, lost, answersWith("third"));
    expect(await forward()).to.include({ node: nodes[2]!.address, isBegun: true });
    handle(lost, lost, lost, answersWith("fourth"));
    const { end, node } = await forward();
    expect([end.code, end.details, node]).to.deep.equal([status.UNAVAILABLE, "it died", nodes[2]!.address]);
    expect(attempts.length).to.equal(6);
  });

  it("stops to ask again when its budget is used up", async () => {
    handle(lost, lost, lost, lost);
    for (let count = 0; count < 100; count++) await forward();
    // A hundred calls, a fifth of them again, and ten for the beginning.
    expect(attempts.length).to.be.within(129, 130);
  });

  it("asks another replica too where an answer takes longer than most, and takes the first", async () => {
    const hedging = { quantile: 0.95, delayMsMin: 20 };
    for (let count = 0; count < 100; count++) await forward(hedging);
    const cancelled = new Promise<void>((resolve) => {
      handle((call) => call.on("cancelled", resolve), answersWith("second"));
    });
    const call = new StubCall();
    expect(await forward(hedging, call)).to.include({ node: nodes[1]!.address, isBegun: true });
    await cancelled;
    expect(call.answers.map((headers) => headers["amaas-node"])).to.deep.equal([nodes[1]!.address]);
    expect(call.bytes).to.deep.equal(framed(Buffer.from("second")));
    expect(attempts.length).to.equal(101);
  });

  it("waits for the slow one where the other is lost", async () => {
    const hedging = { quantile: 0.95, delayMsMin: 20 };
    for (let count = 0; count < 100; count++) await forward(hedging);
    let answer: () => void = () => undefined;
    handle(
      (_, reply) => {
        answer = () => reply(null, Buffer.from("first"));
      },
      (_, reply) => {
        lost(_, reply);
        setImmediate(answer);
      },
    );
    expect(await forward(hedging)).to.include({ node: nodes[0]!.address, isBegun: true });
  });

  it("ends every attempt when the caller has gone", async () => {
    const hedging = { quantile: 0.95, delayMsMin: 1 };
    for (let count = 0; count < 100; count++) await forward(hedging);
    const begun = new Set<number>();
    const call = new StubCall();
    const gone = [0, 1].map(
      (index) =>
        new Promise<void>((resolve) => {
          nodes[index]!.handle = (request) => {
            request.on("cancelled", resolve);
            begun.add(index);
            if (begun.size === 2) call.leave(endOfLoss("the caller has gone"));
          };
        }),
    );
    expect((await forward(hedging, call)).end.details).to.equal("the caller has gone");
    await Promise.all(gone);
  });

  it("asks nobody again whose caller has gone, nor after an answer has begun", async () => {
    handle(() => undefined);
    const call = new StubCall();
    const answer = forward(undefined, call);
    while (nodes[0]!.calls.length === 0) await new Promise(setImmediate);
    call.leave(endOfLoss("the caller has gone"));
    expect((await answer).node).to.equal(nodes[0]!.address);
    expect(nodes[1]!.calls.length).to.equal(0);
  });
});
