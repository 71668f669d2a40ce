import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../lib/gen/inference/ModelInferRequest.ts";
import type { ModelStreamInferResponse as StreamResponse } from "../../lib/gen/inference/ModelStreamInferResponse.ts";
import { createLog } from "../../lib/log.ts";
import type { CallContext } from "../../lib/rpc/call-context.ts";
import type { MaybeEncoded } from "../../lib/rpc/encoded.ts";
import { finalResponse, type Respond, streamHandler } from "../../services/inference/handlers/stream.ts";
import { received } from "./wire.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A stream of requests whose answers a test gives by hand. */
class HandDrivenStream {
  readonly started: string[] = [];
  readonly calls: Parameters<Respond>[1][] = [];
  readonly headers: Record<string, string> = {};
  readonly caller = new AbortController();
  readonly draining = new AbortController();
  readonly #finish = new Map<string, (failure?: unknown) => void>();
  readonly replies: AsyncIterator<MaybeEncoded<StreamResponse>>;

  constructor(
    requests: AsyncIterable<Request> | Iterable<Request>,
    bounds = { requestsMax: 64, bytesMax: 1e6 },
    responsesOf: (id: string) => number = () => 1,
    ownRespond?: Respond,
  ) {
    const { started, calls } = this;
    const finished = (id: string) =>
      new Promise<void>((resolve, reject) =>
        this.#finish.set(id, (failure) => (failure === undefined ? resolve() : reject(failure))),
      );
    const respond: Respond = async function* (request, call) {
      started.push(request.id);
      calls.push(call);
      await finished(request.id);
      for (let index = 0; index < responsesOf(request.id); index++) {
        yield { id: request.id, rawOutputContents: [Buffer.alloc(request.rawInputContents[0]?.length ?? 0)] };
      }
    };
    const context: CallContext = {
      requestId: "test",
      deadlineMs: Infinity,
      signal: this.caller.signal,
      cancellation: this.caller.signal,
      draining: this.draining.signal,
      headers: this.headers,
      log: createLog("test", "silent"),
    };
    this.replies = streamHandler(ownRespond ?? respond, bounds)(requests as AsyncIterable<Request>, context)[
      Symbol.asyncIterator
    ]();
  }

  finish(id: string, failure?: unknown): void {
    this.#finish.get(id)!(failure);
  }

  /** The next reply: its id, or its error. */
  async next(): Promise<unknown> {
    const { done, value } = await this.replies.next();
    if (done) return "end";
    const { errorMessage, inferResponse } = value as StreamResponse;
    return errorMessage ? [inferResponse!.id, errorMessage] : inferResponse!.id;
  }
}

const requestOf = (id: string, bytes = 0, modelVersion = "") =>
  received({ modelName: "m", modelVersion, id, rawInputContents: [Buffer.alloc(bytes)] });
const ids = (count: number) => Array.from({ length: count }, (_, index) => String(index));

/** Requests, and then none until the stream ends. */
async function* open(...requests: Request[]): AsyncGenerator<Request> {
  yield* requests;
  await new Promise(() => undefined);
}

describe("a stream of requests", () => {
  it("runs them side by side and answers them in their order", async () => {
    const stream = new HandDrivenStream(ids(3).map((id) => requestOf(id)));
    const first = stream.next();
    await turn();
    expect(stream.started).to.deep.equal(["0", "1", "2"]);
    stream.finish("2");
    stream.finish("1");
    await turn();
    stream.finish("0");
    expect([await first, await stream.next(), await stream.next(), await stream.next()]).to.deep.equal([
      "0",
      "1",
      "2",
      "end",
    ]);
  });

  it("may get several responses to a request, and none, each request's together", async () => {
    const counts: Readonly<Record<string, number>> = { 0: 3, 1: 0, 2: 2 };
    const stream = new HandDrivenStream(
      ids(3).map((id) => requestOf(id)),
      undefined,
      (id) => counts[id]!,
    );
    const first = stream.next();
    await turn();
    for (const id of ids(3)) stream.finish(id);
    const answers = [await first];
    while (answers.at(-1) !== "end") answers.push(await stream.next());
    expect(answers).to.deep.equal(["0", "0", "0", "2", "2", "end"]);
  });

  it("goes on after a fault, which is answered with the request's id", async () => {
    const stream = new HandDrivenStream(ids(2).map((id) => requestOf(id)));
    const first = stream.next();
    await turn();
    stream.finish("0", new ServiceError("TENSOR_INVALID", "the shape is wrong"));
    stream.finish("1");
    expect([await first, await stream.next(), await stream.next()]).to.deep.equal([
      ["0", "the shape is wrong"],
      "1",
      "end",
    ]);
  });

  it("does not tell the text of a fault that nobody foresaw", async () => {
    const stream = new HandDrivenStream([requestOf("0")]);
    const first = stream.next();
    await turn();
    stream.finish("0", new Error("secret"));
    expect(await first).to.deep.equal(["0", "internal error; the log has the cause"]);
  });

  it("ends with the fault as its status where it asks for that, and gives up the others", async () => {
    const stream = new HandDrivenStream(ids(3).map((id) => requestOf(id)));
    stream.headers.triton_grpc_error = "true";
    const first = stream.next();
    await turn();
    stream.finish("0");
    expect(await first).to.equal("0");
    const fault = new ServiceError("TENSOR_INVALID", "the shape is wrong");
    stream.finish("1", fault);
    expect(await stream.next().catch((thrown: unknown) => thrown)).to.equal(fault);
    expect(stream.calls[2].signal.aborted).to.equal(true);
  });

  for (const [what, bounds, bytes] of [
    ["requests", { requestsMax: 4, bytesMax: 1e6 }, 0],
    ["bytes", { requestsMax: 64, bytesMax: 400 }, 100],
  ] as const) {
    it(`is read only while few ${what} wait for their answers, also where nobody takes them`, async () => {
      let read = 0;
      const requests = (async function* () {
        for (; read < 100; read++) yield requestOf(String(read), bytes);
      })();
      const stream = new HandDrivenStream(requests, bounds);
      const first = stream.next();
      await turn();
      expect(stream.started.length).to.equal(4);
      for (const id of ids(4)) stream.finish(id);
      expect(await first).to.equal("0");
      await turn();
      expect(stream.started.length).to.equal(4);
      await Promise.all([stream.next(), turn()]);
      expect(stream.started.length).to.be.within(4, 5);
    });
  }

  it("takes a request that alone is larger than the bound", async () => {
    const stream = new HandDrivenStream([requestOf("0", 1000), requestOf("1", 1000)], { requestsMax: 4, bytesMax: 10 });
    const first = stream.next();
    await turn();
    expect(stream.started).to.deep.equal(["0"]);
    stream.finish("0");
    expect(await first).to.equal("0");
    const second = stream.next();
    await turn();
    stream.finish("1");
    expect([await second, await stream.next()]).to.deep.equal(["1", "end"]);
  });

  it("answers what it has taken when a drain begins, then says how many requests that were", async () => {
    const stream = new HandDrivenStream(open(requestOf("0"), requestOf("1")));
    const first = stream.next();
    await turn();
    stream.draining.abort();
    stream.finish("0");
    stream.finish("1");
    expect([await first, await stream.next()]).to.deep.equal(["0", "1"]);
    const fault = await stream.next().catch((thrown: unknown) => thrown);
    expect(fault).to.include({ reason: "DRAINING", status: "UNAVAILABLE", retryDelayMs: 100 });
    expect((fault as ServiceError).metadata).to.deep.equal({ answeredRequests: "2" });
  });

  it("gives up its requests when the caller goes", async () => {
    const stream = new HandDrivenStream(open(requestOf("0")));
    const first = stream.next();
    await turn();
    stream.caller.abort(new ServiceError("CANCELLED", "gone"));
    expect(stream.calls[0].signal.aborted).to.equal(true);
    stream.finish("0", stream.calls[0].signal.reason);
    expect(await first).to.equal("end");
  });

  it("lets responses pass that say whether they are the last, one request's beside another's", async () => {
    const parts: Record<string, number> = { slow: 0, fast: 0 };
    const ended: string[] = [];
    const wake = new Map<string, () => void>();
    const respond: Respond = async function* ({ id }) {
      try {
        for (;;) {
          await new Promise<void>((resolve) => wake.set(id, resolve));
          const isDecoupled = id !== "plain";
          yield { id: `${id} ${parts[id]++}`, parameters: isDecoupled ? finalResponse(false) : {} };
        }
      } finally {
        ended.push(id);
      }
    };
    const stream = new HandDrivenStream(
      open(requestOf("plain"), requestOf("slow"), requestOf("fast")),
      undefined,
      undefined,
      respond,
    );
    const answers: unknown[] = [];
    for (const id of ["fast", "slow", "fast", "fast", "slow"]) {
      const next = stream.next();
      await turn();
      wake.get(id)!();
      answers.push(await next);
    }
    expect(answers).to.deep.equal(["fast 0", "slow 0", "fast 1", "fast 2", "slow 1"]);
    stream.caller.abort(new ServiceError("CANCELLED", "gone"));
    expect(await stream.next()).to.equal("end");
    for (const go of wake.values()) go();
    await turn();
    expect(ended).to.have.members(["plain", "slow", "fast"]);
  });
});
