import type { Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { idPattern, nodeName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { Fleet } from "../control/fleet.ts";
import type { NodeState } from "../control/node-state.ts";
import { fitting } from "../store/pages.ts";

/** The call about nodes. */
export function nodeHandlers(fleet: Fleet): Pick<Handlers<RegistryServiceHandlers>, "ListNodes"> {
  return {
    ListNodes: ({ pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const after = pageKeyOf(pageToken, idPattern);
      const found = fleet.nodes.filter(({ id }) => after === undefined || id > after);
      const page = fitting(
        found.slice(0, size + 1).map((node) => ({ node, bytes: bytesOf(node) })),
        size,
      ).map(({ node }) => node);
      return {
        nodes: page.map(nodeMessage),
        nextPageToken: found.length > page.length ? pageTokenOf(page.at(-1)!.id) : "",
      };
    },
  };
}

/** What a node takes on a page, about. */
function bytesOf({ replicas }: NodeState): number {
  let bytes = 1000;
  for (const [version, { reason, exchangeFailure }] of replicas) {
    bytes += 200 + version.length + reason.length + exchangeFailure.length;
  }
  return bytes;
}

function nodeMessage({ id, capabilities, replicas, ...state }: NodeState): Node {
  return {
    ...state,
    name: nodeName(id),
    capabilities: { ...capabilities, executionProviders: [...capabilities.executionProviders] },
    replicas: [...replicas].map(([version, { state: word, model: _, ...replica }]) => {
      const fallbackExecutionProviders = [...replica.fallbackExecutionProviders];
      return { ...replica, version, state: `STATE_${word}` as const, fallbackExecutionProviders };
    }),
  };
}
