import type { IncomingHttpHeaders } from "node:http2";
import { defaultAlias } from "../../../lib/resource-names.ts";
import { modelKey, versionKey } from "../../../lib/rpc/call-context.ts";
import { CallOver } from "../call/call-end.ts";
import { calledRef } from "../called-ref.ts";
import type { Route } from "../routed-model.ts";
import type { Router } from "../router.ts";
import { readBody } from "./body.ts";
import { encodedMessage, type RequestBounds } from "./bound-request.ts";
import { type Caller, callerOf } from "./caller.ts";
import { restType } from "./contracts.ts";
import { answerHeadersOf } from "./http-headers.ts";
import { encodedInference } from "./infer-request.ts";
import { answeredInference, checkSayable } from "./infer-response.ts";
import { jsonOfBytes } from "./json-body.ts";
import { inputsOf, jsonOfPrediction, type Prediction, predictionOf } from "./predict-request.ts";
import { jsonReply, sendReply } from "./reply.ts";
import type { Answer, RestCalls } from "./rest-calls.ts";
import type { RestRequest } from "./rest-request.ts";
import { SignatureCache } from "./signature-cache.ts";

/** What predictions need. */
export interface PredictParts {
  readonly calls: RestCalls;
  readonly router: Router;
  readonly bounds: RequestBounds;
}

/** Answers the simplest inference, for which the types of the values are looked up. */
export class Predict {
  readonly #parts: PredictParts;
  readonly #signatures = new SignatureCache(signaturesMax);

  constructor(parts: PredictParts) {
    this.#parts = parts;
  }

  async answer({ request, reply, held }: RestRequest): Promise<void> {
    const { bounds } = this.#parts;
    const body = await readBody(request.raw, bounds.body, held);
    const prediction = predictionOf(jsonOfBytes(body, bounds.jsonBytesMax, { isNonFiniteAllowed: true }));
    const answer = await this.#infer(callerOf(request, reply), prediction);
    const inference = answeredInference(answer.message);
    checkSayable(inference.outputs, bounds.jsonBytesMax);
    const json = jsonOfPrediction(prediction, inference);
    await sendReply(request, reply, jsonReply(json, answerHeadersOf(answer.headers)));
  }

  /** The version is chosen first, since its signature says what the values are. */
  async #infer(caller: Caller, prediction: Prediction): Promise<Answer> {
    const { calls, router } = this.#parts;
    const route = router.route(prediction, caller.headers);
    const chosen = { ...caller, headers: withoutReference(caller.headers) };
    const key = `${route.model}@${route.version}`;
    const about = { name: route.model, version: String(route.version) };
    const metadata = encodedMessage(restType("inference.ModelMetadataRequest"), about);
    const signature = await this.#signatures.of(
      key,
      async () => (await calls.infer(chosen, "ModelMetadata", metadata)).message,
    );
    const message = encodedInference({
      model: route.model,
      version: this.#versionOf(route, prediction, caller),
      parameters: prediction.parameters,
      inputs: inputsOf(prediction, signature),
    });
    try {
      return await calls.infer(chosen, "ModelInfer", message);
    } catch (thrown) {
      if (thrown instanceof CallOver) this.#signatures.forget(key);
      throw thrown;
    }
  }

  /** The alias that was asked for, where it can mean no other version than the chosen one: what belongs to it applies. */
  #versionOf(route: Route, prediction: Prediction, { headers }: Caller): string {
    const alias = calledRef(prediction, headers).version || defaultAlias;
    const targets = this.#parts.router.modelOf(route)?.aliases.get(alias)?.targets ?? [];
    return targets.length === 1 && targets[0]!.version === route.version ? alias : String(route.version);
  }
}

/** The model and the version are chosen; the request names them. */
function withoutReference(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { [modelKey]: _model, [versionKey]: _version, ...others } = headers;
  return others;
}

const signaturesMax = 1000;
