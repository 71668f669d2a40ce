import { ServiceError } from "../../../lib/errors.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import { type JobEvent, jobStates } from "../jobs/job.ts";
import type { JobChanges } from "../queue/job-changes.ts";
import type { JobStore } from "../queue/job-store.ts";
import type { SharedReads } from "../queue/shared-reads.ts";

/** How many events are read from the store at once. */
const readCount = 256;

/** Where events come from. */
export interface WatchParts {
  readonly store: JobStore;
  readonly changes: JobChanges;
  /** What the watchers of a job read together. */
  readonly reads: SharedReads;
}

/**
 * Yields a job's events after a sequence number, each once and in order, as they happen; ends behind the event with which
 * the job ended. Without a sequence number it begins with the oldest event that is kept. Throws JOB_NOT_FOUND, EVENTS_TRIMMED where the next event is
 * no longer kept, and DRAINING when the server drains.
 */
export async function* watchJob(
  { store, changes, reads }: WatchParts,
  id: string,
  afterSequence: number,
  call: CallContext,
): AsyncGenerator<JobEvent> {
  const over = AbortSignal.any([call.signal, call.draining]);
  let sequence = afterSequence;
  for (;;) {
    // Asked for before the read, so that a change in between is not missed.
    const changed = changes.next(id, over);
    const { state } = await reads.share(`standing ${id}`, () => store.standing(id));
    const { ended } = jobStates[state];
    const after = sequence;
    const events = await reads.share(`events ${id} ${after}`, () => store.eventsAfter(id, after, readCount));
    for (const event of events) {
      if (sequence > 0 && event.sequence > sequence + 1) throw trimmed(sequence, event.sequence);
      yield event;
      sequence = event.sequence;
    }
    if (events.some(isEnd) || (ended && events.length < readCount)) return;
    if (events.length === 0) await changed;
    over.throwIfAborted();
  }
}

/** Says where to go on, rather than leave events out without a word. */
function trimmed(after: number, oldest: number): ServiceError {
  const message = `after_sequence is ${after}, but the oldest event that is kept is ${oldest}; needed: 0, or at least ${oldest - 1}`;
  return new ServiceError("EVENTS_TRIMMED", message, { metadata: { oldest_sequence: String(oldest) } });
}

function isEnd(event: JobEvent): boolean {
  return event.kind === "state" && jobStates[event.job.state].ended;
}
