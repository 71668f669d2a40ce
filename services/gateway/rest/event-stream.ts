import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** An event; its values have no line breaks. */
export interface SentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

/**
 * A stream of server-sent events. Nothing is sent before the first event or the first sign of life, so that until then there may be
 * another answer.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #begin: () => OutgoingHttpHeaders;
  #timer: NodeJS.Timeout;

  /** `begin` is called before anything is sent, and gives the headers. */
  constructor(response: ServerResponse, begin: () => OutgoingHttpHeaders) {
    this.#response = response;
    this.#begin = begin;
    this.#timer = setTimeout(() => this.#beat(), firstBeatMs);
  }

  get isBegun(): boolean {
    return this.#response.headersSent;
  }

  /** Sends an event; answers whether more are welcome. Otherwise `onDrained` is called when they are. */
  send(event: SentEvent, onDrained: () => void): boolean {
    if (this.#write(eventText(event))) return true;
    this.#response.once("drain", onDrained);
    return false;
  }

  /** Sends the last event. */
  end(last: SentEvent): void {
    this.stop();
    this.#response.end(eventText(last));
  }

  /** Sends nothing more by itself. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Keeps proxies from taking a quiet stream for a dead one. */
  #beat(): void {
    if (!this.#response.writableNeedDrain) this.#write(": alive\n\n");
    this.#timer = setTimeout(() => this.#beat(), beatMs);
  }

  #write(text: string): boolean {
    if (!this.isBegun) {
      const head = { "content-type": "text/event-stream", "cache-control": "no-store" };
      this.#response.writeHead(200, { ...this.#begin(), ...head });
    }
    return this.#response.write(text);
  }
}

function eventText(event: SentEvent): string {
  return `${Object.entries(event)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("")}\n`;
}

const firstBeatMs = 1000;
const beatMs = 15_000;
