import type { handleServerStreamingCall, handleUnaryCall } from "@grpc/grpc-js";
import { ServiceError } from "../errors.ts";
import type { CallContext } from "./call-context.ts";
import type { Handlers } from "./handlers.ts";

/** What is told of a service. */
export type ServingStatus = "SERVING" | "NOT_SERVING";

/** Knows the health of names that are no services, such as models, or of services that are not always well. */
export interface HealthSource {
  /** What its names look like, for those who ask for others. */
  readonly forms: readonly string[];
  /** Undefined for a name that it does not know. */
  statusOf(name: string): ServingStatus | undefined;
}

interface Asked {
  readonly service: string;
}
interface Told {
  readonly status: ServingStatus | "SERVICE_UNKNOWN";
}
/** The calls of `grpc.health.v1.Health`. */
interface HealthCalls {
  Check: handleUnaryCall<Asked, Told>;
  Watch: handleServerStreamingCall<Asked, Told>;
  List: handleUnaryCall<object, { readonly statuses: Readonly<Record<string, Told>> }>;
}

/**
 * The health of a server and of its services, by name, the server itself being "", and of what a source knows; lists have services
 * only. Watchers hear of every change until a drain, which ends them.
 *
 * Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export class Health {
  readonly #statuses = new Map<string, ServingStatus>([["", "NOT_SERVING"]]);
  readonly #watchers = new Set<() => void>();
  #source: HealthSource | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Asks the source first, from now on. */
  extend(source: HealthSource): void {
    this.#source = source;
  }

  /** What the source says may have changed: watchers look again soon, however often that is. */
  noteChange(): void {
    if (this.#watchers.size > 0) this.#timer ??= setTimeout(this.#wakeAll, wakeDelayMs).unref();
  }

  set(services: Iterable<string>, status: ServingStatus): void {
    for (const service of services) this.#statuses.set(service, status);
    this.#wakeAll();
  }

  handlers(): Handlers<HealthCalls> {
    return {
      Check: ({ service }) => {
        const status = this.#statusOf(service);
        if (status !== undefined) return { status };
        const services = [...this.#statuses.keys()].filter((name) => name !== "");
        const known = [...services, ...(this.#source?.forms ?? [])].join(", ");
        const seen = JSON.stringify(service.slice(0, 100));
        throw new ServiceError("SERVICE_UNKNOWN", `there is no service ${seen}; needed: nothing, or one of ${known}`);
      },
      Watch: ({ service }, call) => this.#watch(service, call),
      List: () => ({
        statuses: Object.fromEntries(
          [...this.#statuses.keys()].map((service) => [service, { status: this.#statusOf(service)! }]),
        ),
      }),
    };
  }

  readonly #wakeAll = () => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const wake of [...this.#watchers]) wake();
  };

  #statusOf(name: string): ServingStatus | undefined {
    return this.#source?.statusOf(name) ?? this.#statuses.get(name);
  }

  async *#watch(service: string, { signal, draining }: CallContext): AsyncGenerator<Told> {
    let told: Told["status"] | undefined;
    while (!signal.aborted) {
      const status = this.#statusOf(service) ?? "SERVICE_UNKNOWN";
      if (status !== told) {
        told = status;
        yield { status };
      } else if (draining.aborted) throw draining.reason;
      else await this.#change([signal, draining]);
    }
  }

  /** Settles at the next change, or when one of the signals aborts. */
  #change(signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#watchers.delete(wake);
        for (const signal of signals) signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      for (const signal of signals) signal.addEventListener("abort", wake);
    });
  }
}

/** Many changes at a time are one for watchers. */
const wakeDelayMs = 20;
