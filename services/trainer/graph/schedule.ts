import { specError } from "./spec-error.ts";

/** How the learning rate changes over the steps of a run. */
export type Schedule =
  /** Always the same, after a warm-up. */
  | { readonly kind: "constant"; readonly warmUpSteps?: number | undefined }
  /** Times `factor`, in (0, 1], after every so many steps. */
  | { readonly kind: "step"; readonly everySteps: number; readonly factor: number }
  /** Along half a cosine to `finalShare` of it, in [0, 1), 0 by default, after a warm-up (Loshchilov & Hutter 2017, without restarts). */
  | { readonly kind: "cosine"; readonly warmUpSteps?: number | undefined; readonly finalShare?: number | undefined }
  /**
   * Up along half a cosine from 1/25 of it in the first `upShare` of the steps, in (0, 1), 0.3 by default, then down to 1/250,000
   * (Smith & Topin 2019, in the phases of `torch.optim.lr_scheduler.OneCycleLR`).
   */
  | { readonly kind: "one_cycle"; readonly upShare?: number | undefined };

/** Throws SPEC_INVALID for an unknown schedule or a field out of its range. */
export function checkSchedule(schedule: Schedule): void {
  if (!Object.hasOwn(kinds, schedule.kind)) {
    throw specError("schedule.kind", schedule.kind, `one of ${Object.keys(kinds).join(", ")}`);
  }
  kindOf(schedule).check(schedule);
}

/** What share of the learning rate a step has, in [0, 1]; `step` counts from 1 to `stepCount`. */
export function rateShare(schedule: Schedule, step: number, stepCount: number): number {
  return kindOf(schedule).share(schedule, step, stepCount);
}

interface ScheduleKind<S extends Schedule> {
  check(schedule: S): void;
  share(schedule: S, step: number, stepCount: number): number;
}

const kinds = {
  constant: {
    check: ({ warmUpSteps = 0 }) => checkSteps("warm_up_steps", warmUpSteps, 0),
    share: ({ warmUpSteps = 0 }, step) => warmUp(step, warmUpSteps),
  },
  step: {
    check({ everySteps, factor }) {
      checkSteps("every_steps", everySteps, 1);
      if (!(factor > 0 && factor <= 1)) throw specError("schedule.factor", factor, "a number in (0, 1]");
    },
    share: ({ everySteps, factor }, step) => factor ** Math.floor((step - 1) / everySteps),
  },
  cosine: {
    check({ warmUpSteps = 0, finalShare = 0 }) {
      checkSteps("warm_up_steps", warmUpSteps, 0);
      if (!(finalShare >= 0 && finalShare < 1))
        throw specError("schedule.final_share", finalShare, "a number in [0, 1)");
    },
    share({ warmUpSteps = 0, finalShare = 0 }, step, stepCount) {
      if (step <= warmUpSteps) return warmUp(step, warmUpSteps);
      return halfCosine(1, finalShare, (step - 1 - warmUpSteps) / Math.max(1, stepCount - warmUpSteps));
    },
  },
  one_cycle: {
    check({ upShare = 0.3 }) {
      if (!(upShare > 0 && upShare < 1)) throw specError("schedule.up_share", upShare, "a number in (0, 1)");
    },
    share({ upShare = 0.3 }, step, stepCount) {
      const [first, last] = [1 / 25, 1 / 250_000];
      const upSteps = upShare * stepCount - 1;
      if (step - 1 <= upSteps) return halfCosine(first, 1, upSteps === 0 ? 1 : (step - 1) / upSteps);
      return halfCosine(1, last, (step - 1 - upSteps) / (stepCount - 1 - upSteps));
    },
  },
} as const satisfies { [K in Schedule["kind"]]: ScheduleKind<Extract<Schedule, { kind: K }>> };

function kindOf(schedule: Schedule): ScheduleKind<Schedule> {
  return kinds[schedule.kind] as ScheduleKind<Schedule>;
}

/** Evenly from the first step's share to 1. */
function warmUp(step: number, steps: number): number {
  return Math.min(1, step / Math.max(1, steps));
}

function halfCosine(from: number, to: number, way: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, way))))) / 2;
}

function checkSteps(field: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw specError(`schedule.${field}`, value, `a whole number of at least ${least}`);
  }
}
