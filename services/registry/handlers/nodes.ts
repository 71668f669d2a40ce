import type { Node } from "../../../lib/gen/amaas/registry/v1/Node.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { nodeName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { Fleet } from "../control/fleet.ts";
import type { NodeState } from "../control/node-state.ts";

/** The call about nodes. */
export function nodeHandlers(fleet: Fleet): Pick<Handlers<RegistryServiceHandlers>, "ListNodes"> {
  return {
    ListNodes: ({ pageSize, pageToken }) => {
      const size = pageSizeOf(pageSize);
      const after = pageKeyOf(pageToken);
      const found = fleet.nodes.filter(({ id }) => after === undefined || id > after);
      const page = found.slice(0, size);
      return { nodes: page.map(nodeMessage), nextPageToken: found.length > size ? pageTokenOf(page[size - 1].id) : "" };
    },
  };
}

function nodeMessage({ id, capabilities, replicas, ...state }: NodeState): Node {
  return {
    ...state,
    name: nodeName(id),
    capabilities: { ...capabilities, executionProviders: [...capabilities.executionProviders] },
    replicas: [...replicas].map(([version, { state: word, reason, variant, executionProvider }]) => {
      return { version, state: `STATE_${word}` as const, reason, variant, executionProvider };
    }),
  };
}
