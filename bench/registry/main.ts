import type { Scenarios } from "../harness/scenario.ts";
import { listing } from "./listing.ts";
import { memory } from "./memory.ts";
import { reads } from "./reads.ts";
import { routes } from "./routes.ts";
import { transfer } from "./transfer.ts";
import { writes } from "./writes.ts";

/** What the registry promises in numbers. */
export const scenarios: Scenarios = { reads, listing, writes, transfer, routes, memory };
