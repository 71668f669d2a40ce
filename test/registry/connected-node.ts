import type { ConnectNodeResponse__Output } from "../../lib/gen/amaas/registry/v1/ConnectNodeResponse.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Node } from "../../lib/gen/amaas/registry/v1/Node.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { Inbox } from "./inbox.ts";

/** What a node says it holds, by the short name of the version, such as "digits/1". */
export type Held = Readonly<Record<string, "STATE_LOADING" | "STATE_READY" | "STATE_FAILED">>;

/** A node as the registry sees it: one stream, driven by hand. */
export class ConnectedNode {
  readonly replies: Inbox<ConnectNodeResponse__Output>;
  readonly #id: string;
  #last: Node = {};
  readonly #stream: ReturnType<RpcClient<ControlServiceDefinition>["duplex"]>;

  constructor(control: RpcClient<ControlServiceDefinition>, id: string) {
    this.#id = id;
    const stream = control.duplex("ConnectNode");
    this.#stream = stream as never;
    this.replies = new Inbox(stream.replies);
  }

  /** Reports a node that runs on the CPU; its address is its name with port 1. */
  async report(held: Held = {}, changes: Node = {}): Promise<void> {
    const replicas = Object.entries(held).map(([short, state]) => ({ version: longName(short), state }));
    const capabilities = { executionProviders: ["cpu"] };
    this.#last = { name: `nodes/${this.#id}`, address: `${this.#id}:1`, capabilities, replicas, ...changes };
    await this.#stream.write({ node: this.#last } as never);
  }

  /** Says again and again what it has said last, as real nodes do, until its stream ends. */
  keepReporting(): void {
    const heartbeat = setInterval(() => {
      if (this.replies.ended === undefined) void this.#stream.write({ node: this.#last } as never);
      else clearInterval(heartbeat);
    }, 200);
    heartbeat.unref();
  }

  /** Reports everything that it was told to hold last as ready. */
  async obey(): Promise<void> {
    await this.report(Object.fromEntries((this.assigned ?? []).map((short) => [short, "STATE_READY" as const])));
  }

  /** What the last assignment says, sorted; undefined before there was one. */
  get assigned(): readonly string[] | undefined {
    return this.replies.messages
      .at(-1)
      ?.versions.map(({ version }) => shortName(version))
      .sort();
  }

  /** Settles once the node is told to hold exactly these. */
  async isAssigned(...versions: string[]): Promise<void> {
    const wanted = JSON.stringify(versions.sort());
    await this.replies.until(`assignment of ${wanted} to ${this.#id}`, () => JSON.stringify(this.assigned) === wanted);
  }

  /** Says that no more reports come. */
  leave(): void {
    this.#stream.end();
  }

  /** Breaks the stream off. */
  cut(): void {
    this.#stream.cancel();
  }
}

const longName = (short: string) => `models/${short.replace("/", "/versions/")}`;
const shortName = (long: string) => long.replace("models/", "").replace("/versions/", "/");
