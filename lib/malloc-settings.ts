/**
 * What glibc's allocator is told in the environment of a process that holds models; it reads that once, at the start, and other
 * systems ignore it.
 *
 * Left to itself it takes the size of what was freed for a sign of what comes, up to 32 MiB, and keeps twice that of free memory in
 * every arena: after a model of 100 MB in tensors of 1 MiB was unloaded, all of it stayed. So large blocks are mapped, each for itself, and
 * go back to the system when they are freed. Smaller ones, as those of most messages, are used again without the system.
 */
export const mallocSettings: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(1024 ** 2),
  MALLOC_TRIM_THRESHOLD_: String(4 * 1024 ** 2),
};
