import type { ServiceDefinition } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import type { BidiHandler } from "./handlers.ts";
import { reflectedPackage, type ServiceName } from "./protos.ts";

/** One version of the reflection service. */
export interface ReflectionMethods {
  readonly definition: ServiceDefinition;
  readonly handlers: Readonly<Record<string, BidiHandler<unknown, unknown>>>;
}

/** What a stream is to the package: it gives requests by an event, and takes the reply to each at once. */
interface PackageStream {
  on(event: string, listener: (request: unknown) => void): void;
  write(reply: unknown): void;
}

const made = new Map<string, readonly ReflectionMethods[]>();

/**
 * Reflection of services, version by version, made once for all servers. The handlers stand between the package and the streams, since
 * it leaves a stream with a malformed request without a status, and does not wait for callers who do not read.
 */
export function reflectionOf(services: readonly ServiceName[]): readonly ReflectionMethods[] {
  const key = services.join();
  const known = made.get(key);
  if (known !== undefined) return known;
  const versions: ReflectionMethods[] = [];
  new ReflectionService(reflectedPackage(services), { services: [...services] }).addToServer({
    addService: (definition, calls) => {
      const handlers = Object.entries(calls).map(([name, handle]) => [name, handlerOf(handle as never)]);
      versions.push({ definition, handlers: Object.fromEntries(handlers) });
    },
  });
  made.set(key, versions);
  return versions;
}

function handlerOf(handle: (stream: PackageStream) => void): BidiHandler<unknown, unknown> {
  return async function* answer(requests, { draining }) {
    const replies: unknown[] = [];
    let ask: (request: unknown) => void = () => undefined;
    handle({
      on: (event, listener) => {
        if (event === "data") ask = listener;
      },
      write: (reply) => replies.push(reply),
    });
    for await (const request of untilAborted(requests, draining)) {
      ask(request);
      yield* replies.splice(0);
    }
  };
}

/** Throws the signal's reason once it is aborted, also while it waits. */
async function* untilAborted<Item>(items: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  while (true) {
    signal.throwIfAborted();
    const next = await new Promise<IteratorResult<Item>>((resolve, reject) => {
      const end = () => reject(signal.reason);
      signal.addEventListener("abort", end, { once: true });
      iterator
        .next()
        .finally(() => signal.removeEventListener("abort", end))
        .then(resolve, reject);
    });
    if (next.done) return;
    yield next.value;
  }
}
