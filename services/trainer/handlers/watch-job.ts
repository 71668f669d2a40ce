import { ServiceError } from "../../../lib/errors.ts";
import type { JobEvent } from "../../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Framed } from "../../../lib/rpc/encoded.ts";
import type { JobFeeds } from "./job-feed.ts";

/**
 * Yields a job's events after a sequence number, each once and in order, as they happen; ends behind the event with which
 * the job ended. Without a sequence number it begins with the oldest event that is kept. Throws JOB_NOT_FOUND, EVENTS_TRIMMED where
 * the next event is no longer kept, SERVICE_UNAVAILABLE where the store cannot be reached, QUEUE_FULL where too many watch, and DRAINING when the server
 * drains.
 */
export async function* watchJob(
  feeds: JobFeeds,
  id: string,
  afterSequence: number,
  call: Pick<CallContext, "signal" | "draining">,
): AsyncGenerator<Framed<JobEvent>> {
  const over = AbortSignal.any([call.signal, call.draining]);
  let wake = () => {};
  over.addEventListener("abort", () => wake());
  const feed = feeds.enter(id);
  try {
    await feed.started;
    for (let sequence = afterSequence; !over.aborted; ) {
      if (feed.failure !== undefined) throw feed.failure;
      const { isOver } = feed;
      const batches = feed.after(sequence) ?? (await feed.replayed(sequence));
      for (const { first, last, isEnd, framed } of batches) {
        if (sequence > 0 && first > sequence + 1) throw trimmed(sequence, first);
        yield framed;
        sequence = last;
        if (isEnd) return;
      }
      if (batches.length > 0) continue;
      if (isOver) return;
      await new Promise<void>((resolve) => {
        const cancel = feed.onNext(resolve);
        wake = () => {
          cancel();
          resolve();
        };
        if (over.aborted) wake();
      });
    }
    over.throwIfAborted();
  } finally {
    feeds.leave(feed);
  }
}

/** Says where to go on, rather than leave events out without a word. */
function trimmed(after: number, oldest: number): ServiceError {
  const message = `after_sequence is ${after}, but the oldest event that is kept is ${oldest}; needed: 0, or at least ${oldest - 1}`;
  return new ServiceError("EVENTS_TRIMMED", message, { metadata: { oldest_sequence: String(oldest) } });
}
