import type { ClientHttp2Stream } from "node:http2";
import type { Call, Receiver } from "../call/call.ts";
import type { CallEnd } from "../call/call-end.ts";
import { headOf } from "../forward/call-head.ts";
import type { Connections } from "../forward/connections.ts";
import { exchange } from "../forward/exchange.ts";
import { routeHeaders, servedEnd, servedHeaders } from "../forward/served.ts";
import type { Route } from "../routing.ts";

/** What a lane needs. */
export interface LaneParts {
  readonly route: Route;
  /** One of the route's. */
  readonly node: string;
  /** Takes what the node answers. */
  readonly answers: Receiver;
  readonly nodes: Connections;
}

/** The requests of a stream that go to one version on one node, and the answers to them. */
export class Lane {
  readonly route: Route;
  readonly node: string;
  readonly #call: Call;
  readonly #parts: LaneParts;
  #stream: ClientHttp2Stream | undefined;

  constructor(call: Call, parts: LaneParts) {
    this.route = parts.route;
    this.node = parts.node;
    this.#call = call;
    this.#parts = parts;
  }

  /** Opens it, and settles with its end; `onDrained` is called when more requests are welcome again. Never rejects. */
  async run(onDrained: () => void): Promise<CallEnd> {
    const { route, node, answers, nodes } = this.#parts;
    const { end } = await exchange(nodes.forStreams(node), answers, {
      head: headOf(this.#call, routeHeaders(route)),
      own: servedHeaders(route, node),
      isEager: true,
      send: (stream) => {
        this.#stream = stream;
        stream.on("drain", onDrained);
      },
    });
    return servedEnd(end, route, node, this.#call.over !== undefined);
  }

  /** Sends a request, with the bytes before it; answers whether more are welcome. */
  send(frame: Buffer): boolean {
    return this.#isOpen ? this.#stream!.write(frame) : true;
  }

  /** The node has all requests that it will get. */
  sendNoMore(): void {
    if (this.#isOpen) this.#stream!.end();
  }

  get #isOpen(): boolean {
    const stream = this.#stream;
    return stream !== undefined && !stream.destroyed && !stream.writableEnded;
  }
}
