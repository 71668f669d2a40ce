/** Whether `dist/` holds other programs than the sources say. */
export function buildIsStale(): boolean;
