/**
 * Whether the runtime's text says that the machine was short of memory or threads. Such a failure says nothing about the
 * model or the inputs: the same may succeed later.
 *
 * The runtime has no code for this. The texts are those of its CPU allocator and thread pool, of the C++ library, of V8
 * and of the C library (ENOMEM, EAGAIN).
 */
export function isShortage(text: string): boolean {
  return shortage.test(text);
}

const shortage = new RegExp(
  [
    "bad_alloc",
    "bad allocation",
    "out of memory",
    "failed to allocate",
    "allocation failed",
    "cannot allocate memory",
    "pthread_\\w+ failed",
    "resource temporarily unavailable",
  ].join("|"),
  "i",
);
