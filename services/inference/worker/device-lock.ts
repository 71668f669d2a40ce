/**
 * Lets the threads of a process use a device in turn. WebGPU needs it: sessions that run at the same time in two threads end the
 * process (github.com/microsoft/onnxruntime/issues/32561).
 *
 * Whoever waits blocks its thread, which has nothing else to do.
 */
export class DeviceLock {
  readonly #shared: SharedArrayBuffer;
  readonly #holder: Int32Array;
  readonly #own: number;

  /** `threadId` is that of the caller's own thread. */
  constructor(shared: SharedArrayBuffer, threadId: number) {
    this.#shared = shared;
    this.#holder = new Int32Array(shared);
    this.#own = threadId + 1;
  }

  /** Nobody else uses the device until the work has settled. It is not to be asked for again meanwhile. */
  async hold<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      const other = Atomics.compareExchange(this.#holder, 0, free, this.#own);
      if (other === free) break;
      Atomics.wait(this.#holder, 0, other);
    }
    try {
      return await work();
    } finally {
      releaseDevice(this.#shared, this.#own - 1);
    }
  }
}

/** The memory of a lock. */
export function newDeviceLock(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** Frees the device if the thread holds it: for a thread that has ended without doing so itself. */
export function releaseDevice(shared: SharedArrayBuffer, threadId: number): void {
  const holder = new Int32Array(shared);
  Atomics.compareExchange(holder, 0, threadId + 1, free);
  Atomics.notify(holder, 0, 1);
}

const free = 0;
