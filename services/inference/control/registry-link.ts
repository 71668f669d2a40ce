import type { Clock } from "../../../lib/clock.ts";
import type { ConnectNodeResponse__Output } from "../../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import type { ControlServiceDefinition } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { Log } from "../../../lib/log.ts";
import type { Duplex, RpcClient } from "../../../lib/rpc/client.ts";
import { remoteFaultOf } from "../../../lib/rpc/status.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import type { Assignment } from "./assignment.ts";

/** What a link is made of. */
export interface RegistryLinkOptions {
  readonly client: RpcClient<ControlServiceDefinition>;
  /** The node's state now. */
  readonly report: () => Node;
  /** May throw where it cannot be read. */
  readonly onAssignment: (assignment: Assignment) => void;
  /** Waits before a lost registry is tried again. */
  readonly reconnect: BackOff;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

type Stream = Duplex<{ node: Node }, ConnectNodeResponse__Output>;

/** The stream to the registry, held for ever: reports out, assignments in. A lost one is opened again. */
export class RegistryLink {
  readonly #options: RegistryLinkOptions;
  readonly #stopped = new AbortController();
  #stream: Stream | undefined;
  #heartbeatMs = heartbeatMsDefault;
  #cancelHeartbeat: () => void = () => undefined;
  #cancelWait: () => void = () => undefined;
  #writing = false;
  #changed = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: RegistryLinkOptions) {
    this.#options = options;
  }

  /** Connects, and keeps connecting, in the background. */
  start(): void {
    this.#ended = this.#hold();
  }

  /** Tells the registry the node's state; changes in quick succession are told once. */
  report(): void {
    this.#changed = true;
    if (!this.#writing) void this.#write();
  }

  /** Ends the stream and the attempts. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancelWait();
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
    await this.#ended;
  }

  async #hold(): Promise<void> {
    const { reconnect, random, log } = this.#options;
    let failureCount = 0;
    while (!this.#stopped.signal.aborted) {
      const why = await this.#exchange(() => {
        failureCount = 0;
      }).then(
        () => "the registry ended the stream",
        (failure) => remoteFaultOf(failure).message,
      );
      this.#stream = undefined;
      this.#cancelHeartbeat();
      if (this.#stopped.signal.aborted) return;
      if (++failureCount === 1) log.warn({ detail: why }, "the registry is away; serving what is here");
      await this.#wait(backOffMs(failureCount, reconnect, random()));
    }
  }

  /** One stream from its first report to its end. */
  async #exchange(onReply: () => void): Promise<void> {
    const { client, log } = this.#options;
    const stream: Stream = client.duplex("ConnectNode");
    this.#stream = stream;
    this.#writing = false;
    let isFirst = true;
    this.report();
    for await (const reply of stream.replies) {
      onReply();
      if (isFirst) log.info({}, "connected to the registry");
      isFirst = false;
      this.#obey(reply);
    }
  }

  #obey(reply: ConnectNodeResponse__Output): void {
    const { onAssignment, log } = this.#options;
    const wantedMs = reply.heartbeatIntervalMs || heartbeatMsDefault;
    this.#heartbeatMs = Math.min(heartbeatMsMax, Math.max(heartbeatMsMin, wantedMs));
    this.#scheduleHeartbeat();
    try {
      onAssignment(reply);
    } catch (failure) {
      log.error({ error: failure }, "the registry sent an assignment that cannot be read; it is ignored");
    }
  }

  async #write(): Promise<void> {
    this.#writing = true;
    const stream = this.#stream;
    // A turn of the event loop gathers what changes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#changed && stream !== undefined && stream === this.#stream) {
      this.#changed = false;
      this.#scheduleHeartbeat();
      await stream.write({ node: this.#options.report() });
    }
    this.#writing = false;
  }

  #scheduleHeartbeat(): void {
    this.#cancelHeartbeat();
    this.#cancelHeartbeat = this.#options.clock.after(this.#heartbeatMs, () => this.report());
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(delayMs, resolve);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
      if (this.#stopped.signal.aborted) this.#cancelWait();
    });
  }
}

const heartbeatMsDefault = 5000;
const heartbeatMsMin = 50;
const heartbeatMsMax = 60_000;
