import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { ResourceKind__Output } from "../../../lib/gen/amaas/registry/v1/ResourceKind.ts";
import type { Timestamp__Output } from "../../../lib/gen/google/protobuf/Timestamp.ts";
import { pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { timeMsOf } from "../../../lib/timestamp.ts";
import { changeMessage } from "../messages/change.ts";
import type { ChangeFilters } from "../store/changes.ts";
import { type ResourceKind, resourceKinds } from "../store/schema.ts";
import { type CatalogueWatchParts, changesBehind } from "./catalogue-watch.ts";
import { checkText, filterWordsOf, invalid, numberText, pageNumberOf } from "./requests.ts";

/** The calls about the log of changes. */
export function changeHandlers(
  parts: CatalogueWatchParts,
): Pick<Handlers<RegistryServiceHandlers>, "ListChanges" | "WatchCatalogue"> {
  const { changes } = parts;
  return {
    ListChanges: async ({ pageSize, pageToken, beginTime, endTime, ...asked }, { signal }) => {
      const filters = filtersOf(asked, kindsOf("kind", isAnyKind(asked.kind) ? [] : [asked.kind]));
      const [beginMs, endMs] = [timeOf("begin_time", beginTime), timeOf("end_time", endTime)];
      const boundTo = { ...filters, beginMs, endMs };
      const size = pageSizeOf(pageSize);
      const behind = pageNumberOf(pageToken, boundTo);
      const range = await changes.during(beginMs, endMs);
      const behindLast = Math.min(range.behindLast, behind ?? Infinity);
      const { rows, rest } = await changes.newest(filters, { ...range, behindLast }, size, signal);
      return {
        changes: rows.map(changeMessage),
        nextPageToken: rest === undefined ? "" : pageTokenOf(String(rest), boundTo),
      };
    },

    WatchCatalogue: async function* ({ afterSequence, onlyNew, resource, kinds }, call) {
      const filters = filtersOf({ resource, principal: "", call: "" }, kindsOf("kinds", kinds));
      const over = AbortSignal.any([call.signal, call.draining]);
      const last = await changes.last();
      if (!(afterSequence >= 0 && afterSequence <= last)) {
        throw invalid("after_sequence", afterSequence, `0 to ${last}, the number of the last change`);
      }
      const after = onlyNew ? last : afterSequence;
      for await (const row of changesBehind(after, filters, parts, over)) yield changeMessage(row);
    },
  };
}

type Kind = ResourceKind__Output | number;

function isAnyKind(kind: Kind): boolean {
  return kind === "RESOURCE_KIND_UNSPECIFIED";
}

function kindsOf(field: string, kinds: readonly Kind[]): readonly ResourceKind[] {
  return filterWordsOf(field, kinds, "RESOURCE_KIND_", resourceKinds);
}

function filtersOf(
  { resource, principal, call }: Pick<ChangeFilters, "resource" | "principal" | "call">,
  kinds: readonly ResourceKind[],
): ChangeFilters {
  if (resource !== "" && !resourceForm.test(resource)) {
    throw invalid("resource", JSON.stringify(resource.slice(0, 100)), "the name of a resource, such as models/{model}");
  }
  checkText("principal", principal, 256);
  checkText("call", call, 128);
  return { resource, principal, call, kinds };
}

const resourceForm = /^(models|artifacts)\/[a-z0-9._-]{1,64}(\/[a-zA-Z0-9._-]{1,64}){0,2}$/;

/** Milliseconds since 1970, whole ones: the first that is not earlier. */
function timeOf(field: string, time: Timestamp__Output | null): number | undefined {
  if (time === null) return undefined;
  const timeMs = Math.ceil(timeMsOf(time));
  if (timeMs >= 0 && timeMs <= timeMsMax) return timeMs;
  throw invalid(field, `${numberText(time.seconds)} seconds since 1970`, `0 to ${timeMsMax / 1000}`);
}

/** The end of the year 9999, which is the last that a Timestamp may say. */
const timeMsMax = 253_402_300_799_000;
