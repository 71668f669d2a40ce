import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../../lib/errors.ts";
import type { DataSpec__Output } from "../../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import type { TrainerServiceHandlers } from "../../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import { artifactName, parseArtifactName } from "../../../lib/resource-names.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { InspectionConfig } from "../config.ts";
import { saidKinds } from "../datasets/columns/said-kinds.ts";
import type { DatasetFile } from "../datasets/formats/file-format.ts";
import type { DatasetFacts } from "../datasets/inspection/dataset-facts.ts";
import { specError } from "../graph/spec-error.ts";
import { runTask } from "../job-process/run-task.ts";
import { fileFormatOf } from "../jobs/data-format.ts";
import { columnsOf } from "../jobs/data-spec.ts";
import type { WorkParts } from "../work/work-rules.ts";

/** The call that looks at a dataset. A process of its own reads the file, with bounds on its memory and time. */
export function inspectionHandler(
  work: WorkParts,
  config: InspectionConfig,
): Pick<Handlers<TrainerServiceHandlers>, "InspectDataset"> {
  let running = 0;
  return {
    InspectDataset: async ({ dataset, data, previewRows }, call) => {
      const sha256 = parseArtifactName(dataset, "dataset");
      const said = saidOf(data);
      const rows = previewRowsOf(previewRows);
      await work.catalogue.checkDataset(sha256, call);
      if (running >= config.countMax) throw tooMany(config.countMax);
      running++;
      try {
        return await work.folders.during("inspection", async (folder) => {
          const path = join(folder, "dataset");
          await work.datasets.place(sha256, path, call);
          const facts = await inspected({ ...said, path, folder: join(folder, "read") }, rows, { work, config, call });
          const { size } = await stat(path);
          return { dataset: artifactName(sha256), sizeBytes: size, ...facts };
        });
      } finally {
        running--;
      }
    },
  };
}

/** What is said of the file; what only a training has is refused. */
function saidOf(data: DataSpec__Output | null): Pick<DatasetFile, "format" | "kinds"> {
  if (data?.split) throw specError("data.split", "set", "nothing, because no rows are held out");
  if (data?.targetColumns) throw specError("data.target_columns", data.targetColumns, "0, because nothing is learned");
  return { format: fileFormatOf(data), kinds: saidKinds(columnsOf(data?.columns ?? [])) };
}

function previewRowsOf(rows: number): number {
  if (rows >= 0 && rows <= previewRowsMax) return rows || 10;
  throw new ServiceError(
    "REQUEST_INVALID",
    `preview_rows is ${rows}; needed: a whole number in [0, ${previewRowsMax}]`,
    {
      metadata: { field: "preview_rows" },
    },
  );
}

const previewRowsMax = 100;

async function inspected(
  file: Pick<DatasetFile, "path" | "folder" | "format" | "kinds">,
  previewRows: number,
  { work, config, call }: { readonly work: WorkParts; readonly config: InspectionConfig; readonly call: CallContext },
): Promise<DatasetFacts> {
  const { compute, processes, clock, expandedBytesMax } = work;
  const { memoryBytesMax, timeMsMax } = config;
  await mkdir(file.folder);
  const bounds = { memoryBytesMax: Math.floor(memoryBytesMax / 2), threadCount: compute.threadCount, expandedBytesMax };
  const limits = { memoryBytesMax, runTimeMsMax: timeMsMax, ranMs: 0 };
  const task = { kind: "inspect", file: { ...file, ...bounds }, previewRows } as const;
  try {
    return await runTask(task, { processes, limits, signal: call.signal, onNews: () => undefined, clock });
  } catch (failure) {
    throw asInspection(failure, config);
  }
}

/** Says which settings bound an inspection, where a bound is why it failed. */
function asInspection(failure: unknown, { memoryBytesMax, timeMsMax }: InspectionConfig): unknown {
  const reason = failure instanceof ServiceError ? failure.reason : undefined;
  const bound = {
    OUT_OF_MEMORY: `${memoryBytesMax} bytes of memory, AMAAS_TRAINER_INSPECTION_MEMORY_BYTES_MAX`,
    RUN_TIME_EXCEEDED: `${timeMsMax} ms, AMAAS_TRAINER_INSPECTION_MS_MAX`,
  }[reason as string];
  if (reason === undefined || bound === undefined) return failure;
  return new ServiceError(reason, `dataset: it takes more to look at the file than ${bound}`, { cause: failure });
}

function tooMany(countMax: number): ServiceError {
  const message = `${countMax} datasets are being looked at; needed: less than AMAAS_TRAINER_INSPECTIONS_MAX`;
  return new ServiceError("QUEUE_FULL", message, { retryDelayMs: 1000 });
}
