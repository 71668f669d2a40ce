import { suiteVersion } from "../../../lib/suite-version.ts";
import { bodyBounds } from "../call/body-bounds.ts";
import type { Router } from "../router.ts";
import type { RequestBounds } from "./bound-request.ts";
import { restRoot } from "./contracts.ts";
import { BindingTable, bindingsOf } from "./http-bindings.ts";
import { inferenceRoutes } from "./inference-routes.ts";
import { openApi } from "./openapi.ts";
import { Predict } from "./predict.ts";
import { sendReply } from "./reply.ts";
import { RestCalls, type RestCallsConfig, type RestCallsParts } from "./rest-calls.ts";
import { httpMethods, RestServer, type RestServerConfig, type RestServerParts } from "./rest-server.ts";
import { answerTranscoded } from "./transcoded-routes.ts";

/** What HTTP/JSON is told. */
export interface RestConfig extends RestServerConfig, RestCallsConfig {
  readonly http: RestServerConfig["http"] & { readonly jsonBytesMax: number };
}

/** What HTTP/JSON needs of the gateway. */
export interface RestParts extends RestCallsParts, RestServerParts {
  readonly router: Router;
}

/** The server of HTTP/JSON, with all that it answers. */
export function restServer(config: RestConfig, parts: RestParts): RestServer {
  const calls = new RestCalls(config, parts);
  const bounds: RequestBounds = {
    body: bodyBounds(config.messageBytesMax),
    jsonBytesMax: config.http.jsonBytesMax,
  };
  const bindings = parts.passed.flatMap(({ service }) => bindingsOf(restRoot().lookupService(service)));
  const table = new BindingTable(bindings);
  const predict = new Predict({ calls, router: parts.router, bounds });
  const document = JSON.stringify(openApi(bindings, suiteVersion()));
  return new RestServer(config, parts, [
    ...inferenceRoutes({ calls, bounds }),
    { methods: ["POST"], url: "/predict", handle: (request) => predict.answer(request) },
    {
      methods: httpMethods,
      url: "/v1/*",
      handle: (request) => answerTranscoded({ calls, table, bounds }, request),
    },
    {
      methods: ["GET"],
      url: "/openapi.json",
      handle: ({ request, reply }) => sendReply(request, reply, { contentType: "application/json", body: document }),
    },
  ]);
}
