import type { ControlServiceHandlers } from "../../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { AssignmentMessages } from "../messages/assignment.ts";
import { RouteMessages } from "../messages/route.ts";
import { nodeStateOf } from "./node-report.ts";
import { checkText } from "./requests.ts";

/** The streams of nodes and gateways. */
export function controlHandlers(control: ControlPlane, heartbeatMs: number): Handlers<ControlServiceHandlers> {
  const assignments = new AssignmentMessages(heartbeatMs);
  const routes = new RouteMessages(control.routes.epoch);
  return {
    ConnectNode: async function* (requests, call) {
      const reports = requests[Symbol.asyncIterator]();
      const first = await control.fleet.firstReport(reports.next(), AbortSignal.any([call.signal, call.draining]));
      if (first.done) return;
      const session = control.fleet.join(nodeStateOf(first.value.node));
      call.log.info({ node: session.state.id, address: session.state.address }, "node connected");
      const readAll = async () => {
        for (let next = await reports.next(); !next.done; next = await reports.next()) {
          control.fleet.report(session, nodeStateOf(next.value.node, session.state));
        }
        session.end(streamEnded);
      };
      readAll().catch((failure) => session.end(failure));
      const over = AbortSignal.any([call.signal, call.draining, session.ended]);
      try {
        for (;;) yield assignments.of(await session.nextAssignment(over));
      } catch (failure) {
        if (failure !== streamEnded) throw failure;
      } finally {
        // It is the registry that goes: the node has the time of some heartbeats to connect to another one.
        if (!call.draining.aborted) control.fleet.leave(session);
        call.log.info({ node: session.state.id }, "node disconnected");
      }
    },

    WatchRoutes: async function* ({ gateway, epoch, afterSequence }, call) {
      checkText("gateway", gateway, 256);
      const over = AbortSignal.any([call.signal, call.draining]);
      await Promise.race([control.settled, aborted(over)]);
      over.throwIfAborted();
      const { beginning, follower } = control.routes.follow(epoch, afterSequence);
      call.log.info({ gateway, begins: beginning.kind, sequence: beginning.sequence }, "gateway follows the routes");
      try {
        yield routes.ofBeginning(beginning);
        for (;;) for (const step of await follower.take(over)) yield routes.ofStep(step);
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
