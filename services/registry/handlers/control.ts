import type { ControlServiceHandlers } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { ModelRoute as ModelRouteMessage } from "../../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import type { WatchRoutesResponse } from "../../../lib/gen/amaas/registry/v1/WatchRoutesResponse.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Assigned } from "../control/model-plan.ts";
import type { ModelRoute, RouteChange } from "../control/routes.ts";
import { nodeStateOf } from "./node-report.ts";

/** The streams of nodes and gateways. */
export function controlHandlers(control: ControlPlane, heartbeatMs: number): Handlers<ControlServiceHandlers> {
  return {
    ConnectNode: async function* (requests, call) {
      const reports = requests[Symbol.asyncIterator]();
      const first = await reports.next();
      if (first.done) return;
      const session = control.fleet.join(nodeStateOf(first.value.node));
      call.log.info({ node: session.state.id, address: session.state.address }, "node connected");
      const readAll = async () => {
        for (let next = await reports.next(); !next.done; next = await reports.next()) {
          control.fleet.report(session, nodeStateOf(next.value.node, session.state.id));
        }
        session.end(streamEnded);
      };
      readAll().catch((failure) => session.end(failure));
      const over = AbortSignal.any([call.signal, call.draining, session.ended]);
      try {
        for (;;) yield assignmentMessage(await session.nextAssignment(over), heartbeatMs);
      } catch (failure) {
        if (failure !== streamEnded) throw failure;
      } finally {
        control.fleet.leave(session);
        call.log.info({ node: session.state.id }, "node disconnected");
      }
    },

    WatchRoutes: async function* ({ gateway }, call) {
      const over = AbortSignal.any([call.signal, call.draining]);
      await Promise.race([control.settled, aborted(over)]);
      over.throwIfAborted();
      const { snapshot, follower } = control.routes.follow();
      call.log.info({ gateway, models: snapshot.length }, "gateway follows the routes");
      let sequence = 1;
      try {
        yield { sequence, snapshot: { models: snapshot.map(routeMessage) } };
        for (;;) {
          for (const change of await follower.take(over)) yield changeMessage(change, ++sequence);
        }
      } finally {
        follower.close();
      }
    },
  };
}

/** Why a session ends whose node has said all that it wanted. */
const streamEnded = Symbol("the node has ended its stream");

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function assignmentMessage(assignment: readonly Assigned[], heartbeatIntervalMs: number) {
  const versions = assignment.map(({ version, sha256, sizeBytes, aliases }) => ({
    version,
    artifact: artifactName(sha256),
    sizeBytes,
    aliases: [...aliases],
  }));
  return { versions, heartbeatIntervalMs };
}

function routeMessage({ model, versions, aliases }: ModelRoute): ModelRouteMessage {
  return {
    model,
    versions: versions.map(({ version, addresses }) => ({ version, addresses: [...addresses] })),
    aliases: Object.fromEntries(aliases),
  };
}

function changeMessage(change: RouteChange, sequence: number): WatchRoutesResponse {
  return change.kind === "changed"
    ? { sequence, changed: routeMessage(change.route) }
    : { sequence, removed: change.model };
}
