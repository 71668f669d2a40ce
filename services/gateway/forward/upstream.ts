import {
  Channel,
  type ChannelOptions,
  connectivityState,
  credentials,
  type InterceptingListener,
  type Metadata,
  status,
} from "@grpc/grpc-js";
import { channelDefaults } from "../../../lib/rpc/client.ts";

/** One call to an upstream, below grpc-js's client: bytes in and out, and exactly one message read per `startRead`. */
export type UpstreamCall = ReturnType<Channel["createCall"]>;

/** How a call begins. */
export interface CallHead {
  /** "/package.Service/Method". */
  readonly path: string;
  /** In milliseconds since 1970; Infinity for none. */
  readonly deadlineMs: number;
  readonly metadata: Metadata;
  /** There if the caller set no deadline: what it got instead, in milliseconds. */
  readonly defaultTimeoutMs?: number;
}

/** How upstreams are reached. */
export interface UpstreamConfig {
  /** Largest message in either direction, in bytes. */
  readonly messageBytesMax: number;
  /** How long calls wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** One node or service: a connection that is made when needed and made again after a loss, and the calls on it. */
export class Upstream {
  /** "host:port". */
  readonly address: string;
  readonly #channel: Channel;
  readonly #connectTimeoutMs: number;
  /** Calls that wait for the connection. */
  readonly #waiting = new Set<UpstreamCall>();
  #outstanding = 0;

  constructor(address: string, config: UpstreamConfig) {
    this.address = address;
    this.#connectTimeoutMs = config.connectTimeoutMs;
    this.#channel = new Channel(address, credentials.createInsecure(), { ...channelOptions, ...limits(config) });
  }

  /** Calls that have begun and not ended. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** False from a failed attempt to connect until a successful one; attempts go on by themselves. */
  get reachable(): boolean {
    return this.#channel.getConnectivityState(false) !== connectivityState.TRANSIENT_FAILURE;
  }

  /** Begins a call. The listener hears at most one metadata, then messages as they are asked for, then one status. */
  open({ path, deadlineMs, metadata }: CallHead, listener: InterceptingListener): UpstreamCall {
    const call = this.#channel.createCall(path, deadlineMs, null, null, null);
    this.#outstanding++;
    this.#waitForConnection(call);
    call.start(metadata, {
      onReceiveMetadata: (received) => listener.onReceiveMetadata(received),
      onReceiveMessage: (message) => listener.onReceiveMessage(message),
      onReceiveStatus: (ended) => {
        this.#outstanding--;
        this.#waiting.delete(call);
        listener.onReceiveStatus(ended);
      },
    });
    return call;
  }

  close(): void {
    this.#channel.close();
  }

  /** A host that swallows packets would otherwise keep calls until their deadline: grpc-js leaves that to the system. */
  #waitForConnection(call: UpstreamCall): void {
    this.#channel.getConnectivityState(true);
    if (!this.#isConnecting()) return;
    this.#waiting.add(call);
    if (this.#waiting.size === 1) this.#watchConnection(Date.now() + this.#connectTimeoutMs);
  }

  #watchConnection(deadlineMs: number): void {
    const state = this.#channel.getConnectivityState(false);
    this.#channel.watchConnectivityState(state, deadlineMs, (expired) => {
      if (!expired && this.#isConnecting() && this.#waiting.size > 0) return this.#watchConnection(deadlineMs);
      if (expired) this.#giveUp();
      this.#waiting.clear();
    });
  }

  #giveUp(): void {
    const reason = `no connection within ${this.#connectTimeoutMs} ms`;
    for (const waiting of this.#waiting) waiting.cancelWithStatus(status.UNAVAILABLE, reason);
  }

  #isConnecting(): boolean {
    const state = this.#channel.getConnectivityState(false);
    return state === connectivityState.IDLE || state === connectivityState.CONNECTING;
  }
}

const channelOptions: ChannelOptions = {
  ...channelDefaults,
  // Only what grpc-js calls transparent: calls that never left this process, or that the other side refused unseen.
  "grpc.enable_retries": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_channelz": 0,
};

function limits({ messageBytesMax }: UpstreamConfig): ChannelOptions {
  return {
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
  };
}
