import type { Scenarios } from "../harness/scenario.ts";
import { reading } from "./reading.ts";
import { rows } from "./rows.ts";

/** What training jobs promise in numbers. */
export const scenarios: Scenarios = { reading, rows };
