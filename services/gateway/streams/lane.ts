import type { Stream } from "../../../lib/http2/stream.ts";
import type { Call, Receiver } from "../call/call.ts";
import type { CallEnd } from "../call/call-end.ts";
import { headOf } from "../forward/call-head.ts";
import type { Connections } from "../forward/connections.ts";
import { exchange } from "../forward/exchange.ts";
import { routeHeaders, servedEnd, servedHeaders } from "../forward/served.ts";
import type { Route } from "../routed-model.ts";
import type { Way } from "../router.ts";

/** What a lane needs. */
export interface LaneParts {
  readonly way: Way;
  /** One of the way's replicas. */
  readonly node: string;
  /** Those that were lost before, and itself. */
  readonly tried: readonly string[];
  /** Takes what the node answers. */
  readonly answers: Receiver;
  readonly nodes: Connections;
}

/** The requests of a stream that go to one version on one node, and the answers to them. */
export class Lane {
  readonly way: Way;
  readonly node: string;
  readonly tried: readonly string[];
  readonly #call: Call;
  readonly #parts: LaneParts;
  #stream: Stream | undefined;
  #sent = 0;
  /** The first request, as long as it is alone and nothing was answered. */
  #first: Buffer | undefined;
  #hasAnswered = false;

  constructor(call: Call, parts: LaneParts) {
    this.way = parts.way;
    this.node = parts.node;
    this.tried = parts.tried;
    this.#call = call;
    this.#parts = parts;
  }

  get route(): Route {
    return this.way.route;
  }

  /** How many requests it was sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Its only request, if nothing was answered to it yet. */
  get untouched(): Buffer | undefined {
    return this.#first;
  }

  /** Opens it, and settles with its end; `onDrained` is called when more requests are welcome again. Never rejects. */
  async run(onDrained: () => void): Promise<CallEnd> {
    const { way, node, answers, nodes } = this.#parts;
    const { route } = way;
    const receiver: Receiver = {
      onOver: (listener) => answers.onOver(listener),
      respond: (headers) => answers.respond(headers),
      write: (bytes, onRoom) => {
        this.#hasAnswered = true;
        this.#first = undefined;
        return answers.write(bytes, onRoom);
      },
    };
    const { end } = await exchange(nodes.forStreams(node), receiver, {
      head: headOf(this.#call, routeHeaders(route)),
      own: servedHeaders(route, node),
      isEager: true,
      send: (stream) => {
        this.#stream = stream;
      },
      onDrain: onDrained,
    });
    return servedEnd(end, route, node, this.#call.over !== undefined);
  }

  /** Sends a request, with the bytes before it; answers whether more are welcome. */
  send(frame: Buffer): boolean {
    this.#first = this.#sent++ === 0 && !this.#hasAnswered ? frame : undefined;
    return this.#stream?.write(frame) ?? true;
  }

  /** Of what was sent, the bytes that wait here for the node. */
  get waitingBytes(): number {
    return this.#stream?.queuedBytes ?? 0;
  }

  /** The node has all requests that it will get. */
  sendNoMore(): void {
    this.#stream?.end();
  }
}
