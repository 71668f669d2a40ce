import type { QueueBounds } from "../../services/inference/batching/occupancy.ts";

/** Bounds that nothing reaches. */
export const plenty: QueueBounds = { requestsMax: Infinity, rowsMax: Infinity, bytesMax: Infinity };
