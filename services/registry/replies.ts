import { Encoded, type MaybeEncoded } from "../../lib/rpc/encoded.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import type { Database } from "./store/database.ts";

/** A reply in memory. */
interface Kept {
  readonly model: string;
  readonly reply: Encoded<object>;
  readonly bytes: number;
}

/**
 * Replies about single models, kept encoded until something of the model changes: what is asked again and again costs no query.
 * A change drops them before its own caller hears of it. Keeps nothing where other registries change the same catalogue.
 */
export class Replies {
  readonly #database: Database;
  readonly #bytesMax: number;
  /** The one that was asked for longest ago comes first. */
  readonly #kept = new Map<string, Kept>();
  readonly #keysOf = new Map<string, Set<string>>();
  #bytes = 0;
  /** How often the catalogue has changed: what was read before the last change is answered, and not kept. */
  #generation = 0;

  constructor(database: Database, bytesMax: number) {
    this.#database = database;
    this.#bytesMax = bytesMax;
    database.onCommit((changes) => {
      this.#generation++;
      for (const { model } of changes ?? []) if (model !== null) this.#drop(model);
    });
  }

  /**
   * The reply to a call about a resource of a model. `read` makes it where it is not in memory; it may depend on nothing but
   * what the log of changes says of the model.
   */
  of<Message extends object>(
    type: `amaas.registry.v1.${string}`,
    name: string,
    read: () => Promise<Message>,
  ): MaybeEncoded<Message> | Promise<MaybeEncoded<Message>> {
    if (this.#database.isShared) return read();
    const key = `${type} ${name}`;
    const kept = this.#kept.get(key);
    if (kept === undefined) return this.#readAndKeep(key, type, name, read);
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.reply as Encoded<Message>;
  }

  async #readAndKeep<Message extends object>(
    key: string,
    type: string,
    name: string,
    read: () => Promise<Message>,
  ): Promise<Encoded<Message>> {
    const generation = this.#generation;
    const message = encodeMessage("registry", type, await read());
    // A buffer of its own: others share theirs, which would keep all of it in memory.
    const bytes = Buffer.allocUnsafeSlow(message.length);
    message.copy(bytes);
    const reply = new Encoded<Message>(bytes);
    const model = /^models\/([^/]*)/.exec(name)?.[1];
    if (model !== undefined && generation === this.#generation) {
      this.#keep(key, { model, reply, bytes: bytes.length + overheadBytes });
    }
    return reply;
  }

  #keep(key: string, kept: Kept): void {
    this.#remove(key);
    this.#kept.set(key, kept);
    this.#bytes += kept.bytes;
    const keys = this.#keysOf.get(kept.model);
    if (keys === undefined) this.#keysOf.set(kept.model, new Set([key]));
    else keys.add(key);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#remove(oldest);
    }
  }

  #drop(model: string): void {
    for (const key of this.#keysOf.get(model) ?? []) this.#remove(key);
  }

  #remove(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
    const keys = this.#keysOf.get(kept.model)!;
    keys.delete(key);
    if (keys.size === 0) this.#keysOf.delete(kept.model);
  }
}

/** What a reply costs besides its own bytes, about. */
const overheadBytes = 512;
