import type { Clock } from "../../../lib/clock.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Duration__Output } from "../../../lib/gen/google/protobuf/Duration.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { durationMsOf } from "../../../lib/timestamp.ts";
import type { Artifacts } from "../artifacts/artifacts.ts";
import { artifactMessage } from "../messages/artifact.ts";
import { actorOf } from "./actor.ts";
import { invalid } from "./requests.ts";

/** The calls that look after artifacts. A registry that shuts down does not wait for their end. */
export function upkeepHandlers(
  { config: { upkeep }, collector, scrubber }: Artifacts,
  clock: Clock,
): Pick<Handlers<RegistryServiceHandlers>, "CollectGarbage" | "ScrubArtifacts"> {
  return {
    CollectGarbage: async function* ({ gracePeriod, dryRun }, call) {
      const actor = actorOf(call, "CollectGarbage");
      const graceMs = gracePeriod ? gracePeriodMs(gracePeriod) : upkeep.graceMs;
      const signal = AbortSignal.any([call.signal, call.draining]);
      for await (const event of collector.collect({ actor, graceMs, dryRun, signal })) {
        if (event.kind === "artifact") yield { artifact: artifactMessage(event.row) };
        else yield { summary: event.summary };
      }
    },

    ScrubArtifacts: async function* ({ olderThan, bytesPerSecondMax }, call) {
      const scrub = {
        actor: actorOf(call, "ScrubArtifacts"),
        sinceMs: olderThan ? clock.now() - olderThanMs(olderThan) : Number.MAX_SAFE_INTEGER,
        bytesPerSecondMax: bytesPerSecond(bytesPerSecondMax, upkeep.scrubBytesPerSecondMax),
        signal: AbortSignal.any([call.signal, call.draining]),
      };
      for await (const event of scrubber.scrub(scrub)) {
        if (event.kind === "corrupt") yield { corrupt: artifactMessage(event.row) };
        else yield { [event.kind]: event.count };
      }
    },
  };
}

function gracePeriodMs(gracePeriod: Duration__Output): number {
  const graceMs = durationMsOf(gracePeriod);
  if (graceMs < graceMsMin) throw invalid("grace_period", `${graceMs} ms`, `at least ${graceMsMin} ms`);
  return graceMs;
}

/** So that whoever uploads has time to refer to it. */
const graceMsMin = 60_000;

function olderThanMs(olderThan: Duration__Output): number {
  const ageMs = durationMsOf(olderThan);
  if (ageMs < 0) throw invalid("older_than", `${ageMs} ms`, "at least 0 ms");
  return ageMs;
}

function bytesPerSecond(seen: number, bytesPerSecondMax: number): number {
  if (seen === 0) return bytesPerSecondMax;
  if (seen > 0 && seen <= bytesPerSecondMax) return seen;
  throw invalid("bytes_per_second_max", seen, `0 to ${bytesPerSecondMax}, AMAAS_SCRUB_BYTES_PER_SECOND_MAX`);
}
