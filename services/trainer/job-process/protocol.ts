import type { Reason } from "../../../lib/errors.ts";
import type { PublishTarget } from "../jobs/publish-target.ts";
import type { RowsMeasurement } from "../served/measure-rows.ts";
import type { CheckTask } from "./check-task.ts";
import type { EvaluateTask } from "./evaluate-task.ts";
import type { InspectResult, InspectTask } from "./inspect-task.ts";
import type { PredictResult, PredictTask } from "./predict-task.ts";
import type { TaskNews } from "./task-host.ts";
import type { TrainResult, TrainTask } from "./train-task.ts";

/** What a job process does, and what comes of it, by kind. Both are plain data. */
export interface Tasks {
  readonly train: { readonly task: TrainTask; readonly result: TrainResult };
  readonly predict: { readonly task: PredictTask; readonly result: PredictResult };
  readonly evaluate: { readonly task: EvaluateTask; readonly result: RowsMeasurement };
  readonly check: { readonly task: CheckTask; readonly result: PublishTarget };
  readonly inspect: { readonly task: InspectTask; readonly result: InspectResult };
}
export type TaskKind = keyof Tasks;
export type Task = { [Kind in TaskKind]: { readonly kind: Kind } & Tasks[Kind]["task"] }[TaskKind];
export type TaskResult = Tasks[TaskKind]["result"];

/** What a job process is told: perhaps to load what most tasks need, then its task, and perhaps to keep its state and stop. */
export type HostMessage =
  | { readonly kind: "prepare" }
  | { readonly kind: "begin"; readonly task: Task }
  | { readonly kind: "pause" };

/** What a job process says last; then it ends. */
export type LastWord =
  | { readonly kind: "finished"; readonly result: TaskResult }
  | { readonly kind: "stopped" }
  | ({ readonly kind: "failed" } & TaskFailure);

/** An error, with what a ServiceError has besides. */
export interface TaskFailure {
  readonly reason?: Reason | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly message: string;
  readonly stack?: string | undefined;
}

export type ProcessMessage = TaskNews | LastWord;

/** Whether a job process says nothing after a message. */
export function isLast(message: ProcessMessage): message is LastWord {
  return message.kind === "finished" || message.kind === "stopped" || message.kind === "failed";
}
