import type { Catalogue, OnBehalf } from "../catalogue.ts";
import type { QueueConfig } from "../config.ts";
import type { Compute } from "../engine/device.ts";
import type { JobResult } from "../jobs/job.ts";
import type { WorkKind, WorkSpecs } from "../jobs/work.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { JobStore } from "../queue/job-store.ts";

/** What work is done with. */
export interface WorkParts {
  readonly catalogue: Catalogue;
  readonly store: JobStore;
  readonly compute: Compute;
  readonly bounds: QueueConfig;
}

/** How one kind of work is checked and done. */
export interface WorkRules<Kind extends WorkKind> {
  /** Checks all that can be checked before the job is accepted; throws SPEC_INVALID, REQUEST_INVALID, or the registry's faults. */
  check(spec: WorkSpecs[Kind], parts: WorkParts, onBehalf: OnBehalf): Promise<void>;
  /**
   * Does the work, from its beginning or from what an earlier attempt has left; the same job leaves the same result, once. Throws the
   * signal's reason soon after it aborts, and UNAVAILABLE where another attempt makes sense.
   */
  run(spec: WorkSpecs[Kind], parts: WorkParts, running: Running): Promise<JobResult>;
}
