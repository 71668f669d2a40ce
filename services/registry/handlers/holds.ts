import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Duration__Output } from "../../../lib/gen/google/protobuf/Duration.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { parseArtifactName, parseVersionName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { durationMsOf } from "../../../lib/timestamp.ts";
import { holdMessage } from "../messages/hold.ts";
import { type Holdable, type HoldKey, type HoldStore, heldName } from "../store/holds.ts";
import { actorOf } from "./actor.ts";
import { checkText, invalid } from "./requests.ts";

/** The calls about holds. */
export function holdHandlers(
  holds: HoldStore,
): Pick<Handlers<RegistryServiceHandlers>, "HoldResource" | "ReleaseHold" | "ListHolds"> {
  return {
    HoldResource: async ({ resource, holder, duration }, call) => {
      checkHolder(holder);
      const held = holdableOf(resource);
      return holdMessage(await holds.hold(actorOf(call, "HoldResource"), held, holder, checkedDurationMs(duration)));
    },

    ReleaseHold: async ({ resource, holder }, call) => {
      checkHolder(holder);
      await holds.release(actorOf(call, "ReleaseHold"), holdableOf(resource), holder);
      return {};
    },

    ListHolds: async ({ pageSize, pageToken, resource }) => {
      const size = pageSizeOf(pageSize);
      const wanted = resource === "" ? "" : heldName(holdableOf(resource));
      const found = await holds.list(wanted, size + 1, keyOf(pageToken, { resource }));
      const page = found.slice(0, size);
      return {
        holds: page.map(holdMessage),
        nextPageToken: found.length > size ? tokenOf(page[size - 1], { resource }) : "",
      };
    },
  };
}

function holdableOf(name: string): Holdable {
  if (name.startsWith("artifacts/")) return { kind: "artifact", sha256: parseArtifactName(name, "resource") };
  const { model, version } = parseVersionName(name, "resource");
  return { kind: "version", model, number: version };
}

function checkHolder(holder: string): void {
  if (holder === "") throw invalid("holder", "empty", "1 to 256 characters, such as jobs/{job}");
  checkText("holder", holder, 256);
}

function checkedDurationMs(duration: Duration__Output | null): number {
  const durationMs = duration === null ? 0 : Math.round(durationMsOf(duration));
  if (durationMs >= 1000 && durationMs <= durationMsMax) return durationMs;
  throw invalid("duration", `${durationMs / 1000} seconds`, `1 to ${durationMsMax / 1000} seconds`);
}

/** 30 days. */
const durationMsMax = 30 * 24 * 60 * 60 * 1000;

/** No resource has a line break in its name, so that one may end it. */
function tokenOf({ resource, holder }: HoldKey, filters: object): string {
  return pageTokenOf(`${resource}\n${holder}`, filters);
}

const keyForm = /^(models\/[a-z0-9._-]{1,63}\/versions\/[1-9]\d{0,15}|artifacts\/[0-9a-f]{64})\n([^\0]{1,256})$/s;

function keyOf(pageToken: string, filters: object): HoldKey | undefined {
  const [, resource, holder] = keyForm.exec(pageKeyOf(pageToken, keyForm, filters) ?? "") ?? [];
  return resource === undefined ? undefined : { resource, holder: holder! };
}
