import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import { Metrics } from "./metrics.ts";
import { describeProcess } from "./process-figures.ts";

/** Where metrics are served. */
export interface MetricsServerConfig {
  /** Host name or IP address to listen on. */
  readonly host: string;
  /** TCP port; 0 lets the system choose. */
  readonly port: number;
}

/** Serves the metrics of a process by `GET /metrics`, those that every process has among them. */
export class MetricsServer {
  readonly #config: MetricsServerConfig;
  readonly #log: Log;
  readonly #metrics = new Metrics();
  readonly #eventLoop = new EventLoopDelay();
  readonly #server: Server;

  /** `describe` adds the service's own metrics. */
  constructor(config: MetricsServerConfig, log: Log, describe: (metrics: Metrics) => void) {
    this.#config = config;
    this.#log = log;
    describe(this.#metrics);
    this.#eventLoop.describe(this.#metrics);
    describeProcess(this.#metrics);
    this.#server = createServer({ requestTimeout: requestMsMax }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.maxConnections = connectionsMax;
  }

  /** The port that it listens on, while it does. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    const { host, port } = this.#config;
    const bare = host.replace(/^\[(.*)\]$/, "$1");
    try {
      this.#server.listen(port, bare);
      await once(this.#server, "listening");
    } catch (cause) {
      throw new Error(`cannot serve metrics on ${host}:${port}: ${messageOf(cause)}`, { cause });
    }
    this.#eventLoop.start();
  }

  /** Finishes what was asked for within a short time, then closes. Does nothing where it does not listen. */
  async stop(): Promise<void> {
    this.#eventLoop.stop();
    if (!this.#server.listening) return;
    const timer = setTimeout(() => this.#server.closeAllConnections(), stopMsMax);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clearTimeout(timer);
  }

  async #answer({ method, url }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url?.split("?")[0] !== "/metrics") return refuse(response, 404, "metrics are at /metrics\n");
    if (method !== "GET" && method !== "HEAD") return refuse(response, 405, "metrics are only read: GET or HEAD\n");
    try {
      const text = await this.#metrics.text();
      response.setHeader("content-type", this.#metrics.contentType).end(text);
    } catch (failure) {
      this.#log.error({ error: failure }, "metrics could not be read");
      refuse(response, 500, "the metrics could not be read; the log says why\n");
    }
  }
}

/** Scrapers that may be connected. */
const connectionsMax = 64;
const requestMsMax = 10_000;
const stopMsMax = 1000;

function refuse(response: ServerResponse, statusCode: number, text: string): void {
  response.writeHead(statusCode, { "content-type": "text/plain; charset=utf-8" }).end(text);
}
