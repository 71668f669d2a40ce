import type { ThreadReply } from "./thread-protocol.ts";

/** What a process of a session says: what its thread says, and once, of what that has died. It is told what the thread is told. */
export type ProcessReply = ThreadReply | { readonly kind: "died"; readonly why: string };
