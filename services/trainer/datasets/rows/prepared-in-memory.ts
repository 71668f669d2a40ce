import { splitRows } from "../../../../lib/split.ts";
import type { MemoryStorage, PreparedData, RowElements } from "../row-source.ts";

/** Rows in memory as they are, split at random. */
export function preparedInMemory(
  data: {
    readonly rowCount: number;
    readonly featureCount: number;
    readonly features: RowElements;
    readonly targets: RowElements;
  },
  validationShare: number,
  seed: number,
): PreparedData {
  const { rowCount, featureCount, features, targets } = data;
  const split = splitRows(rowCount, validationShare, seed);
  const part = (rows: Int32Array): MemoryStorage => ({
    kind: "memory",
    featureCount,
    targetCount: targets.length / rowCount,
    features,
    targets,
    rows,
  });
  return { training: part(split.training), validation: part(split.validation) };
}
