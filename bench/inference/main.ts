import type { Scenarios } from "../harness/scenario.ts";
import { heavy } from "./heavy.ts";
import { latency } from "./latency.ts";
import { metrics } from "./metrics.ts";
import { peer } from "./peer.ts";
import { reload } from "./reload.ts";
import { small } from "./small.ts";
import { startup } from "./startup.ts";

/** What a node promises in numbers. */
export const scenarios: Scenarios = { small, heavy, latency, peer, startup, reload, metrics };
