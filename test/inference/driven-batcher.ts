import type { ServiceError } from "../../lib/errors.ts";
import { type BatchSettings, unbatched } from "../../services/inference/batching/batch-settings.ts";
import { type BatchedRequest, Batcher } from "../../services/inference/batching/batcher.ts";
import { Occupancy, type QueueBounds } from "../../services/inference/batching/occupancy.ts";
import { ManualClock } from "../manual-clock.ts";
import { plenty } from "./bounds.ts";

/** A request, and how it was refused. */
export interface Sent extends BatchedRequest {
  readonly name: string;
  fault?: ServiceError;
}

/** What a test may say of a request; one that has company comes together with the next one. */
type Details = Partial<Sent> & { readonly hasCompany?: boolean };

/** A batcher of up to 8 rows for one instance, whose time passes and whose runs end when the test says so. */
export type DrivenBatcher = ReturnType<typeof openBatcher>;

/** What is not set is as where nothing is set; `freeCount` says how many runs may begin at once. */
export function openBatcher(
  settings: Partial<BatchSettings>,
  bounds: Partial<QueueBounds>,
  node: Occupancy,
  freeCount: number,
) {
  const clock = new ManualClock();
  /** The names of the requests of each run. */
  const batches: string[] = [];
  let free = freeCount;
  /** What happens once all requests are there that have arrived together. */
  const late: (() => void)[] = [];
  /** How often it was said that requests wait for an instance. */
  const waits = { count: 0 };
  /** What the busy instance was given besides. */
  const aheads: Sent[] = [];
  let takesAhead = false;
  const batcher = new Batcher<Sent>({
    settings: { ...unbatched, maxBatchSize: 8, requestRowsMax: 8, ...settings },
    occupancies: [new Occupancy({ ...plenty, ...bounds }), node],
    clock,
    freeCount: () => free,
    instanceCount: () => 1,
    soon: (callback) => void late.push(callback),
    onWait: () => {
      waits.count++;
    },
    run: (batch) => {
      free--;
      batches.push(batch.map(({ name }) => name).join(""));
    },
    aheadCount: () => aheads.length,
    takesAhead: () => takesAhead && aheads.length === 0,
    runAhead: (request) => void aheads.push(request),
  });
  const arrive = () => {
    for (const callback of late.splice(0)) callback();
  };
  const add = (name: string, details: Details = {}): Sent => {
    const sent: Sent = {
      name,
      rowCount: 1,
      inputBytes: 1,
      bucket: "same",
      priority: 0,
      timeoutMs: 0,
      deadlineMs: Infinity,
      sendByMs: 0,
      reject: (fault) => {
        sent.fault = fault;
      },
      ...details,
    };
    try {
      batcher.add(sent);
    } catch (refusal) {
      sent.fault = refusal as ServiceError;
    }
    if (!details.hasCompany) arrive();
    return sent;
  };
  const addAll = (names: string, details: Details = {}) => [...names].map((name) => add(name, details));
  /** Lets the instance become free, this many times. */
  const finish = (times = 1) => {
    for (let time = 0; time < times; time++) {
      free++;
      batcher.dispatch();
    }
  };
  /** Takes the instance away for something else. */
  const occupy = () => {
    free--;
  };
  /** From now on the busy instance takes one request ahead. */
  const allowAhead = () => {
    takesAhead = true;
  };
  /** The instance begins what it was given ahead. */
  const begin = () => {
    for (const request of aheads.splice(0)) batcher.noteBegun(request);
    batcher.dispatch();
  };
  return { clock, batcher, batches, waits, aheads, add, addAll, arrive, finish, occupy, allowAhead, begin };
}
