/** The execution providers that a node offers, best first. */
export const executionProviders: readonly string[] = ["cpu"];
