import type { Scenarios } from "../harness/scenario.ts";
import { many } from "./many.ts";
import { overhead } from "./overhead.ts";
import { parquet } from "./parquet.ts";
import { reading } from "./reading.ts";
import { rows } from "./rows.ts";
import { streaming } from "./streaming.ts";
import { watchers } from "./watchers.ts";

/** What training jobs promise in numbers. */
export const scenarios: Scenarios = { overhead, parquet, reading, rows, streaming, many, watchers };
