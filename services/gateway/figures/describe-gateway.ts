import type { Metrics, Reading } from "../../../lib/metrics/metrics.ts";
import { statusName } from "../../../lib/rpc/status.ts";
import type { Admission } from "../admission/admission.ts";
import type { RequestBytes } from "../admission/request-bytes.ts";
import type { Balancer } from "../balance/balancer.ts";
import type { CallLimit } from "../call-limit.ts";
import type { Connections } from "../forward/connections.ts";
import type { HeldAnswers } from "../held-answers.ts";
import type { RouteLink } from "../route-link.ts";
import type { Routes } from "../routes.ts";
import type { CallFigures } from "./call-figures.ts";
import type { ModelFigures, VersionFigures } from "./version-figures.ts";

/** What the metrics of a gateway are read from. */
export interface GatewayFigures {
  readonly calls: CallFigures;
  readonly models: ModelFigures;
  readonly limit: CallLimit;
  readonly requestBytes: RequestBytes;
  readonly answersHeld: HeldAnswers;
  readonly admission: Admission;
  readonly balancer: Balancer;
  readonly nodes: Connections;
  readonly routes: Routes;
  readonly link: RouteLink;
}

/** Adds the metrics of a gateway. */
export function describeGateway(metrics: Metrics, figures: GatewayFigures): void {
  describeCalls(metrics, figures);
  describeVersions(metrics, figures);
  describeReplicas(metrics, figures);
  describeTable(metrics, figures);
}

function describeCalls(metrics: Metrics, { calls, limit, requestBytes, answersHeld }: GatewayFigures): void {
  metrics.counter("amaas_gateway_calls_total", "Calls that have ended, by method and status.", function* () {
    for (const { method, code, count } of calls.calls()) {
      yield { labels: { method, code: statusName(code) }, value: count };
    }
  });
  metrics.counter("amaas_gateway_refusals_total", "Calls that the gateway itself ended, by reason.", function* () {
    for (const { reason, limit: name, count } of calls.refusals())
      yield { labels: { reason, limit: name }, value: count };
  });
  metrics.gauge("amaas_gateway_calls", "Calls that are forwarded now.", () => only(limit.calls));
  metrics.gauge("amaas_gateway_request_bytes", "Bytes of requests that are held now.", () => only(requestBytes.bytes));
  metrics.gauge("amaas_gateway_answer_bytes", "Bytes of answers that wait for their callers now.", () =>
    only(answersHeld.waiting.bytes),
  );
  metrics.counter(
    "amaas_gateway_abandoned_answers_total",
    "Answers that their callers did not take while too many were held.",
    () => only(answersHeld.abandonedCount),
  );
}

function describeVersions(metrics: Metrics, { models, admission }: GatewayFigures): void {
  metrics.counter(
    "amaas_gateway_model_calls_total",
    "Calls with one message to a version that have ended, by status.",
    function* () {
      for (const figures of models.all()) {
        for (const [code, value] of figures.codes.entries()) {
          if (value > 0) yield { labels: { ...labelsOf(figures), code: statusName(code) }, value };
        }
      }
    },
  );
  metrics.histogram(
    "amaas_gateway_inference_seconds",
    "From the arrival of answered inferences with one message to their end.",
    function* () {
      for (const figures of models.all()) {
        if (figures.answerMs.count > 0) yield { labels: labelsOf(figures), value: figures.answerMs };
      }
    },
    1000,
  );
  metrics.counter("amaas_gateway_attempts_total", "Replicas that were asked, by what became of it.", function* () {
    for (const figures of models.all()) {
      for (const [outcome, value] of Object.entries(figures.attempts)) {
        if (value > 0) yield { labels: { ...labelsOf(figures), outcome }, value };
      }
    }
  });
  const counter = (name: string, help: string, value: (figures: VersionFigures) => number) =>
    metrics.counter(name, help, function* () {
      for (const figures of models.all()) yield { labels: labelsOf(figures), value: value(figures) };
    });
  counter("amaas_gateway_retries_total", "Those that were asked since another one was lost.", ({ retries }) => retries);
  counter("amaas_gateway_hedges_total", "Those that were asked since another one took long.", ({ hedges }) => hedges);
  const limits = (name: string, help: string, value: "limit" | "underWay") =>
    metrics.gauge(name, help, function* () {
      for (const { model, version, ...limit } of admission.limits()) {
        yield { labels: { model, version: String(version) }, value: limit[value] };
      }
    });
  limits(
    "amaas_gateway_inferences",
    "Inferences of a version that are under way, as its limit counts them.",
    "underWay",
  );
  limits("amaas_gateway_inferences_limit", "The limit of these.", "limit");
}

function describeReplicas(metrics: Metrics, { balancer, nodes }: GatewayFigures): void {
  metrics.gauge("amaas_gateway_node_calls", "Calls that are under way on a node.", function* () {
    for (const [address, { outstanding }] of nodes.all()) yield { labels: { node: address }, value: outstanding };
  });
  metrics.gauge("amaas_gateway_node_reachable", "Whether the last attempt to connect succeeded.", function* () {
    for (const [address, { isReachable }] of nodes.all())
      yield { labels: { node: address }, value: isReachable ? 1 : 0 };
  });
  metrics.counter("amaas_gateway_ejections_total", "How often a replica was ejected.", () =>
    only(balancer.ejectionCount),
  );
  metrics.gauge("amaas_gateway_ejected_replica", "1 for each replica that gets no calls for a while.", function* () {
    for (const { model, version, node } of balancer.ejected()) {
      yield { labels: { model, version: String(version), node }, value: 1 };
    }
  });
}

function describeTable(metrics: Metrics, { routes, link }: GatewayFigures): void {
  metrics.gauge("amaas_gateway_route_table_models", "Models of the route table.", () =>
    only(routes.table?.models.size ?? 0),
  );
  metrics.gauge(
    "amaas_gateway_route_table_sequence",
    "The step of the registry that the route table is.",
    function* () {
      const { position } = routes;
      if (position !== undefined) yield { labels: { epoch: position.epoch }, value: position.sequence };
    },
  );
  metrics.gauge("amaas_gateway_route_table_age_seconds", "How long the route table is as it is.", function* () {
    const { ageMs } = routes;
    if (ageMs !== undefined) yield { labels: {}, value: ageMs / 1000 };
  });
  metrics.gauge("amaas_gateway_registry_connected", "Whether the registry says what changes.", () =>
    only(link.isConnected ? 1 : 0),
  );
}

function labelsOf({ model, version }: VersionFigures) {
  return { model, version };
}

function only(value: number): readonly Reading<number>[] {
  return [{ labels: {}, value }];
}
