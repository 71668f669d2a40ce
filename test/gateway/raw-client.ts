import { Client, credentials, Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";

/** How a call at byte level ended. */
export interface RawReply {
  readonly message: Buffer;
  /** Before the message. */
  readonly metadata: Metadata;
  readonly trailers: Metadata;
}

/** A client that sends and receives bytes as they are. */
export class RawClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** One message each way; rejects with grpc-js's error. `onCancel` gets a function that cancels the call. */
  unary(
    path: string,
    message: Uint8Array,
    options: {
      readonly metadata?: Readonly<Record<string, string | Buffer>>;
      readonly deadlineMs?: number;
      readonly onCancel?: (cancel: () => void) => void;
    } = {},
  ): Promise<RawReply> {
    const sent = new Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) sent.set(key, value);
    return new Promise((resolve, reject) => {
      let metadata = new Metadata();
      let reply: Buffer | undefined;
      const call = this.#client.makeUnaryRequest(
        path,
        () => Buffer.from(message),
        (bytes) => bytes,
        null,
        sent,
        options.deadlineMs === undefined ? {} : { deadline: options.deadlineMs },
        (failure: ServiceError | null, received?: Buffer) => {
          if (failure) reject(failure);
          else reply = received;
        },
      );
      call.on("metadata", (received: Metadata) => {
        metadata = received;
      });
      call.on("status", (ended: StatusObject) => {
        if (reply !== undefined) resolve({ message: reply, metadata, trailers: ended.metadata });
      });
      options.onCancel?.(() => call.cancel());
    });
  }

  /** Messages both ways, as grpc-js gives them. */
  duplex(path: string, metadata: Readonly<Record<string, string>> = {}) {
    const sent = new Metadata();
    for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
    return this.#client.makeBidiStreamRequest<Buffer, Buffer>(
      path,
      (bytes) => bytes,
      (bytes) => bytes,
      sent,
    );
  }

  close(): void {
    this.#client.close();
  }
}
