import type { Scenarios } from "../harness/scenario.ts";
import { forwarding } from "./forwarding.ts";

/** What the gateway promises in numbers. */
export const scenarios: Scenarios = { forwarding };
