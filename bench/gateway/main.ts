import type { Scenarios } from "../harness/scenario.ts";
import { features } from "./features.ts";
import { forwarding } from "./forwarding.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { sharing } from "./sharing.ts";
import { table } from "./table.ts";

/** What the gateway promises in numbers. */
export const scenarios: Scenarios = { forwarding, features, sharing, latency, table, memory };
