/** What is known of a node. */
export interface NodeFacts {
  /** Where it stands; empty where nobody says. */
  readonly zone: string;
  /** Its cores, at least 1. */
  readonly capacity: number;
}
