import type { OutgoingHttpHeaders } from "node:http2";
import { assert, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import { framed } from "../../../lib/rpc/framing.ts";
import type { Answers } from "../answers.ts";
import { type CallEnd, CallOver, ok } from "../call/call-end.ts";
import { endOfStep, logCall } from "../call/call-log.ts";
import { cancelled } from "../call/patience.ts";
import type { CallLimit } from "../call-limit.ts";
import type { CallFigures } from "../figures/call-figures.ts";
import { type ExchangeOptions, exchange } from "../forward/exchange.ts";
import { type PassedService, passOn } from "../pass-through.ts";
import type { Caller } from "./caller.ts";
import { RestCall } from "./rest-call.ts";

/** What calls need of the gateway. */
export interface RestCallsParts {
  readonly answers: Answers;
  readonly passed: readonly PassedService[];
  readonly limit: CallLimit;
  readonly draining: AbortSignal;
  readonly calls: CallFigures;
  readonly log: Log;
}

/** What calls may do. */
export interface RestCallsConfig {
  /** The deadline of an inference call that has none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  /** Largest message, in bytes. */
  readonly messageBytesMax: number;
}

/** The one message of an answer, and what was said with it. */
export interface Answer {
  readonly message: Buffer;
  readonly headers: OutgoingHttpHeaders;
}

/** What a call sends, as `ExchangeOptions` have it. */
export type Sending = Pick<ExchangeOptions, "send" | "onDrain" | "onClose">;

/** A stream of messages that a service answers. */
export interface StreamOptions {
  readonly sending: Sending;
  /** As in `RestCallOptions`. */
  readonly onMessage: (message: Buffer, onDrained: () => void) => boolean;
  /** Hears of the call before it begins. */
  readonly onBegin?: (call: RestCall) => void;
}

/** Calls that came by HTTP, on the way that those of gRPC take. What fails is thrown as `CallOver`, with the end that the call had. */
export class RestCalls {
  readonly #config: RestCallsConfig;
  readonly #parts: RestCallsParts;

  constructor(config: RestCallsConfig, parts: RestCallsParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Calls a method of the Open Inference Protocol. */
  async infer(caller: Caller, method: string, message: Buffer): Promise<Answer> {
    const answer = this.#parts.answers.methods.get(method);
    assert(answer !== undefined, `the gateway answers ${method}`);
    return this.#single(caller, `/inference.GRPCInferenceService/${method}`, true, (call) => {
      call.begin(this.#config.defaultTimeoutMs);
      return answer({ call, frame: framed(message), message });
    });
  }

  /** Calls a method of another service that has one message each way. */
  async pass(caller: Caller, path: string, message: Buffer): Promise<Answer> {
    return this.#single(caller, path, false, async (call) => {
      call.begin();
      return { end: await this.#passOn(call, { send: (stream) => stream.writeLast(framed(message)) }) };
    });
  }

  /** Calls one that has streams; settles at its end. Those that go on for ever end when the gateway drains. */
  async stream(
    caller: Caller,
    path: string,
    { sending, onMessage, onBegin }: StreamOptions,
  ): Promise<OutgoingHttpHeaders> {
    const call = this.#call(caller, path, onMessage);
    onBegin?.(call);
    return this.#run(caller, call, false, async () => {
      call.begin();
      return { end: await this.#passOn(call, sending) };
    });
  }

  async #single(
    caller: Caller,
    path: string,
    isQuiet: boolean,
    answer: (call: RestCall) => Promise<{ readonly end: CallEnd; readonly node?: string }>,
  ): Promise<Answer> {
    const messages: Buffer[] = [];
    const call = this.#call(caller, path, (message) => messages.push(message) > 0);
    const headers = await this.#run(caller, call, isQuiet, () => answer(call));
    if (messages.length === 1) return { message: messages[0]!, headers };
    throw new ServiceError("INTERNAL", `${path} was answered with ${messages.length} messages`);
  }

  #call({ headers, requestId }: Caller, path: string, onMessage: StreamOptions["onMessage"]): RestCall {
    const { messageBytesMax } = this.#config;
    return new RestCall({ path, headers, requestId, messageBytesMax, onMessage });
  }

  async #run(
    caller: Caller,
    call: RestCall,
    isQuiet: boolean,
    answer: () => Promise<{ readonly end: CallEnd; readonly node?: string }>,
  ): Promise<OutgoingHttpHeaders> {
    const { calls, log } = this.#parts;
    const forget = caller.onGone(() => call.giveUp(cancelled));
    let end: CallEnd;
    let node: string | undefined;
    try {
      ({ end, node } = await answer());
    } catch (thrown) {
      end = endOfStep(log, call, thrown);
      call.end(end);
      calls.refused(thrown);
    } finally {
      forget();
    }
    calls.ended(call.path, end.code);
    logCall(log, call, end, isQuiet, node);
    if (end.code !== ok.code) throw new CallOver(end);
    return call.answerHeaders;
  }

  #passOn(call: RestCall, sending: Sending): Promise<CallEnd> {
    return passOn(this.#parts, this.#serviceOf(call.path), call, (connection, head) =>
      exchange(connection, call, { head, own: {}, ...sending, isEager: true }),
    );
  }

  #serviceOf(path: string): PassedService {
    const found = this.#parts.passed.find(({ service }) => path.startsWith(`/${service}/`));
    assert(found !== undefined, `somebody answers ${path}`);
    return found;
  }
}
