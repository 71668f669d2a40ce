import type { HttpBinding } from "./http-bindings.ts";
import { inferencePaths, inferenceSchemas } from "./openapi-inference.ts";
import { operationOf } from "./openapi-operations.ts";
import { MessageSchemas, type Schema } from "./openapi-schemas.ts";

/** The OpenAPI 3.1 document of all that HTTP/JSON answers: of the annotations of the contracts, and of inference. */
export function openApi(bindings: readonly HttpBinding[], version: string): Schema {
  const schemas = new MessageSchemas();
  const paths: Record<string, Record<string, unknown>> = { ...inferencePaths };
  const seen = new Map<string, number>();
  for (const binding of bindings) {
    const index = seen.get(binding.rpc.name) ?? 0;
    seen.set(binding.rpc.name, index + 1);
    const { path, method, operation } = operationOf(binding, index, schemas);
    paths[path] = { ...paths[path], [method]: operation };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "amaas",
      version,
      description:
        "AI models as a service: inference as the Open Inference Protocol has it, and the registry and the trainer, each call of which is " +
        "also one of gRPC. Every answer has the header x-request-id, which every request may have.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      schemas: { ...schemas.all, ...inferenceSchemas, Fault: faultSchema },
      responses: {
        Fault: { description: "Why there is no answer.", content: { "application/json": { schema: fault } } },
      },
    },
  };
}

const fault = { $ref: "#/components/schemas/Fault" };

const faultSchema: Schema = {
  type: "object",
  description: "google.rpc.Status, with its message once more as clients of Triton read it.",
  properties: {
    code: { type: "integer", description: "The gRPC status." },
    message: { type: "string", description: "What was wrong, the value seen and the value needed." },
    details: {
      type: "array",
      description: "A google.rpc.ErrorInfo with a stable reason; a google.rpc.RetryInfo where a retry makes sense.",
      items: { type: "object", properties: { "@type": { type: "string" } }, required: ["@type"] },
    },
    error: { type: "string", description: "The message." },
  },
  required: ["code", "message", "details", "error"],
};
