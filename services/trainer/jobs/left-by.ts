import type { Trial } from "./job.ts";

/** The artifacts that a trial has left and its sweep may need. */
export function leftBy({ offer, checkpoint }: Pick<Trial, "offer" | "checkpoint">): readonly string[] {
  const artifacts = [offer?.model, offer?.facts, checkpoint?.artifact];
  return artifacts.filter((artifact) => artifact !== undefined);
}
