import type { BatchSettings } from "./batch-settings.ts";

/** A request as the plan sees it. */
export interface PlannedRequest {
  readonly rowCount: number;
  readonly inputBytes: number;
  /** What it has in common with those that it may be joined with; undefined where it runs alone. */
  readonly bucket: string | undefined;
  /** When it should be run though more might come, in milliseconds since 1970. */
  readonly sendByMs: number;
}

/** What to do with a free instance. */
export type BatchPlan<Request> =
  | { readonly kind: "send"; readonly batch: readonly Request[] }
  /** Until a time in milliseconds since 1970, unless something comes; Infinity where nothing waits. */
  | { readonly kind: "wait"; readonly untilMs: number };

/** Requests that might be run together. */
interface Group<Request> {
  readonly requests: Request[];
  rowCount: number;
  inputBytes: number;
  /** How many of the requests make the largest preferred size. */
  preferredCount: number;
  sendByMs: number;
  /** Whether nothing can be added. */
  isClosed: boolean;
}

/**
 * The next batch of requests that wait in this order, by Triton's rules: rows up to `maxBatchSize`; the largest preferred
 * size that there is; otherwise all that there is, once the largest preferred size is reached, nothing more fits, or a
 * request has waited `maxQueueDelayMs`. Requests of another bucket make other batches: the first one that need not wait goes.
 */
export function planBatch<Request extends PlannedRequest>(
  waiting: Iterable<Request>,
  settings: BatchSettings,
  nowMs: number,
): BatchPlan<Request> {
  const groups = new Map<string | Request, Group<Request>>();
  let first: Group<Request> | undefined;
  let examined = 0;
  for (const request of waiting) {
    const key = request.bucket ?? request;
    let group = groups.get(key);
    if (group === undefined) {
      group = { requests: [], rowCount: 0, inputBytes: 0, preferredCount: 0, sendByMs: Infinity, isClosed: false };
      groups.set(key, group);
    }
    first ??= group;
    if (!group.isClosed) grow(group, request, settings);
    if (++examined === examinedMax) first.isClosed = true;
    if (first.isClosed) break;
  }
  let untilMs = Infinity;
  for (const group of groups.values()) {
    const batch = readyPart(group, settings, nowMs);
    if (batch !== undefined) return { kind: "send", batch };
    untilMs = Math.min(untilMs, group.sendByMs);
  }
  return { kind: "wait", untilMs };
}

/** Requests that are looked at for one batch, and joined in one, so that no queue is too long for the event loop. */
const examinedMax = 1024;

/** Bytes of inputs that are copied into one batch, for the same reason. */
const joinedBytesMax = 16 * 1024 ** 2;

function grow<Request extends PlannedRequest>(
  group: Group<Request>,
  request: Request,
  { maxBatchSize, preferredBatchSizes }: BatchSettings,
): void {
  const rowCount = group.rowCount + request.rowCount;
  const inputBytes = group.inputBytes + request.inputBytes;
  // One that is larger than a batch, where that may be, is the only one of its own.
  if (group.requests.length > 0 && (rowCount > maxBatchSize || inputBytes > joinedBytesMax)) {
    group.isClosed = true;
    return;
  }
  group.requests.push(request);
  group.rowCount = rowCount;
  group.inputBytes = inputBytes;
  group.sendByMs = Math.min(group.sendByMs, request.sendByMs);
  if (preferredBatchSizes.includes(group.rowCount)) group.preferredCount = group.requests.length;
  group.isClosed = request.bucket === undefined || group.rowCount >= maxBatchSize;
}

function readyPart<Request>(
  { requests, rowCount, preferredCount, sendByMs, isClosed }: Group<Request>,
  { maxBatchSize, preferredBatchSizes, maxQueueDelayMs }: BatchSettings,
  nowMs: number,
): readonly Request[] | undefined {
  const isDue = maxQueueDelayMs > 0 && sendByMs <= nowMs;
  if (preferredCount > 0 && !isDue) return requests.slice(0, preferredCount);
  const isEnough = isClosed || rowCount >= (preferredBatchSizes.at(-1) ?? maxBatchSize);
  return isEnough || isDue || maxQueueDelayMs === 0 ? requests : undefined;
}
