/** What may be asked of a run: to go on, to stop, or to keep its state and stop. */
export type Wish = "go on" | "stop" | "keep";
