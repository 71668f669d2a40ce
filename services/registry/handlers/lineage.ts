import { ServiceError } from "../../../lib/errors.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { parseArtifactName, parseJobName, parseVersionChoice, versionName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { ArtifactStore } from "../store/artifacts.ts";
import type { LineageStore } from "../store/lineage.ts";
import type { VersionStore } from "../store/versions.ts";
import { invalid, wordOf } from "./requests.ts";

/** What the call about lineage needs. */
export interface LineageHandlerParts {
  readonly lineage: LineageStore;
  readonly versions: VersionStore;
  readonly artifacts: ArtifactStore;
}

/** The call about lineage. */
export function lineageHandlers(parts: LineageHandlerParts): Pick<Handlers<RegistryServiceHandlers>, "GetLineage"> {
  return {
    GetLineage: async ({ name, direction, depthMax }) => {
      const way = wordOf("direction", direction, "LINEAGE_DIRECTION_");
      if (!(depthMax >= 0 && depthMax <= stepsMax)) throw invalid("depth_max", depthMax, `0 to ${stepsMax}`);
      const start = await existing(name, parts);
      const directions = { up: way !== "DOWN", down: way !== "UP" };
      const { nodes, edges, isTruncated } = await parts.lineage.graph(start, directions, depthMax || stepsMax);
      return {
        nodes: [...nodes].map(([found, distance]) => ({ name: found, distance })),
        edges: edges.map(({ parent, child, relation }) => ({
          parent,
          child,
          relation: `RELATION_${relation}` as const,
        })),
        truncated: isTruncated,
      };
    },
  };
}

const stepsMax = 1000;

/** The name of something that exists, a version by its number. Throws VERSION_NOT_FOUND and the like. */
async function existing(name: string, { lineage, versions, artifacts }: LineageHandlerParts): Promise<string> {
  if (name.startsWith("jobs/")) {
    parseJobName(name);
    if (await lineage.has(name)) return name;
    throw new ServiceError("JOB_NOT_FOUND", `no version was made by ${name}`, { metadata: { job: name } });
  }
  if (name.startsWith("artifacts/")) {
    const sha256 = parseArtifactName(name);
    // One that was collected goes on being what versions came from.
    if (!(await lineage.has(name))) await artifacts.get(sha256);
    return name;
  }
  const { model, version: choice } = parseVersionChoice(name);
  const { version } = await versions.get(model, choice);
  return versionName(model, version.number);
}
