import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../../lib/errors.ts";
import { jobName, parseArtifactName } from "../../../lib/resource-names.ts";
import type { Catalogue, OnBehalf } from "../catalogue.ts";
import { diskFault } from "../disk-fault.ts";
import type { JobResult, VersionOffer } from "../jobs/job.ts";
import { whileUnavailable } from "../patience.ts";
import type { Running } from "../queue/job-attempt.ts";
import type { Trained } from "./trained.ts";
import type { VersionFacts } from "./version-facts.ts";
import type { WorkParts } from "./work-rules.ts";

/** Stores what a trial has left, for its sweep to register if it is the best; the sweep holds it from being collected. */
export async function offerVersion(
  { catalogue, bounds, holdMs }: WorkParts,
  { job, signal, log }: Running,
  folder: string,
  { modelPath, facts, checkpoint }: Trained,
): Promise<JobResult> {
  const onBehalf = { requestId: job.requestId, signal };
  const held = (artifact: string) => catalogue.hold(artifact, jobName(job.parent!), holdMs, onBehalf);
  const kept = async (path: string) => {
    const artifact = await catalogue.upload(path, onBehalf);
    await held(artifact);
    return artifact;
  };
  const factsPath = join(folder, "facts.json");
  await writeFile(factsPath, JSON.stringify(facts)).catch((failure) => {
    throw diskFault(failure);
  });
  const patiently = <Value>(call: () => Promise<Value>) => whileUnavailable(call, bounds, signal, log);
  const [model, factsArtifact] = [await patiently(() => kept(modelPath)), await patiently(() => kept(factsPath))];
  if (checkpoint !== undefined) await patiently(() => held(checkpoint.artifact));
  return { metrics: facts.metrics, offer: { model, facts: factsArtifact, ...(checkpoint && { checkpoint }) } };
}

/** What is to be known of a version that a trial has offered. */
export async function factsOf(
  catalogue: Catalogue,
  { facts }: VersionOffer,
  onBehalf: OnBehalf,
): Promise<VersionFacts> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of catalogue.download(parseArtifactName(facts), onBehalf)) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

/** Lets go of what a trial has left, in the background. Where the registry is away, the hold expires by itself. */
export function releaseOffered(catalogue: Catalogue, artifact: string, { job, log }: Running): void {
  catalogue
    .release(artifact, jobName(job.id), { requestId: job.requestId })
    .catch((failure) =>
      log.warn({ error: messageOf(failure) }, "what a trial has left stays held until its hold expires"),
    );
}
