/** What may be asked of a run: to go on, to stop, or to keep its state and stop. */
export const wishes = ["go on", "stop", "keep"] as const;
export type Wish = (typeof wishes)[number];
