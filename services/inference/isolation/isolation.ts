/** Where a session runs: in a thread of the node, or in a process of its own, which may die without the node. */
export const isolations = ["thread", "process"] as const;
export type Isolation = (typeof isolations)[number];
