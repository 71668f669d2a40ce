/**
 * What glibc's allocator is told in the environment of a process that holds models; it reads that once, at the start, and other
 * systems ignore it.
 *
 * Left to itself it takes the size of what was freed for a sign of what comes, up to 32 MiB: blocks below that lie in the arenas of
 * threads from then on, each of which keeps what it once had. A model of 100 MB in tensors of 16 MiB left 280 MiB behind after it was unloaded
 * eight times. So blocks from 4 MiB on are always mapped, each for itself, and go back to the system when they are freed. Smaller ones, as
 * those of messages within gRPC's own limit, are used again without the system.
 */
export const mallocSettings: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(4 * 1024 ** 2),
  MALLOC_TRIM_THRESHOLD_: String(16 * 1024 ** 2),
};
