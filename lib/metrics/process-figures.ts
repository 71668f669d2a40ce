import type { Metrics, Read } from "./metrics.ts";

/** Adds memory, processor time and start of this process, under the names that dashboards know. */
export function describeProcess(metrics: Metrics): void {
  const startSeconds = performance.timeOrigin / 1000;
  const memory = (key: keyof NodeJS.MemoryUsage) => only(() => process.memoryUsage()[key]);
  metrics.gauge("process_resident_memory_bytes", "Resident memory.", only(process.memoryUsage.rss));
  metrics.gauge("nodejs_heap_size_used_bytes", "What lives on the heap of the main thread.", memory("heapUsed"));
  metrics.gauge("nodejs_heap_size_total_bytes", "The size of that heap.", memory("heapTotal"));
  metrics.gauge("nodejs_external_memory_bytes", "Buffers and others outside of that heap.", memory("external"));
  metrics.counter(
    "process_cpu_seconds_total",
    "Processor time of all threads, of user and system.",
    only(() => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
  );
  metrics.gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
    only(() => startSeconds),
  );
}

function only(value: () => number): Read<number> {
  return () => [{ labels: {}, value: value() }];
}
