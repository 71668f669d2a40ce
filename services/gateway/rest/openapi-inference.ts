import { faultResponse } from "./openapi-operations.ts";
import type { Schema } from "./openapi-schemas.ts";

const jsonType = "application/json";

function replied(schema: Schema, description = "The reply."): Schema {
  return { 200: { description, content: { [jsonType]: { schema } } }, default: faultResponse };
}

function named(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function parameter(name: string, description: string): Schema {
  return { name, in: "path", required: true, description, schema: { type: "string" } };
}

const model = parameter("model", "The id of a model; model@alias means a version of it.");
const version = parameter("version", "A number or an alias.");
const text = { type: "string" } as const;
const tag = { tags: ["Inference"] } as const;

/** The paths of a model, with and without the version. */
function modelPaths(
  suffix: string,
  method: string,
  id: string,
  operation: Schema,
): Record<string, Record<string, unknown>> {
  return {
    [`/v2/models/{model}${suffix}`]: { [method]: { ...tag, operationId: id, parameters: [model], ...operation } },
    [`/v2/models/{model}/versions/{version}${suffix}`]: {
      [method]: { ...tag, operationId: `${id}Version`, parameters: [model, version], ...operation },
    },
  };
}

const ready = { type: "object", properties: { name: text, ready: { type: "boolean" } } } as const;
const binary =
  "Tensors may also be binary data behind the JSON, whose length the header Inference-Header-Content-Length gives.";

/** The paths of the Open Inference Protocol, and the simplest one. */
export const inferencePaths: Readonly<Record<string, Record<string, unknown>>> = {
  "/predict": {
    post: {
      ...tag,
      operationId: "Predict",
      summary: "Runs a model on values as they are; their types are those of the model.",
      requestBody: { required: true, content: { [jsonType]: { schema: named("PredictRequest") } } },
      responses: replied(named("PredictResponse")),
    },
  },
  "/v2": { get: { ...tag, operationId: "ServerMetadata", responses: replied(named("ServerMetadata")) } },
  "/v2/health/live": {
    get: {
      ...tag,
      operationId: "ServerLive",
      responses: replied({ type: "object", properties: { live: { type: "boolean" } } }),
    },
  },
  "/v2/health/ready": {
    get: {
      ...tag,
      operationId: "ServerReady",
      responses: {
        ...replied(ready),
        503: { description: "It is not ready.", content: { [jsonType]: { schema: ready } } },
      },
    },
  },
  ...modelPaths("", "get", "ModelMetadata", { responses: replied(named("ModelMetadata")) }),
  ...modelPaths("/ready", "get", "ModelReady", {
    responses: {
      ...replied(ready),
      503: { description: "It is not ready.", content: { [jsonType]: { schema: ready } } },
    },
  }),
  ...modelPaths("/config", "get", "ModelConfig", { responses: replied({ type: "object" }) }),
  ...modelPaths("/stats", "get", "ModelStatistics", { responses: replied({ type: "object" }) }),
  ...modelPaths("/infer", "post", "ModelInfer", {
    description: binary,
    requestBody: {
      required: true,
      content: { [jsonType]: { schema: named("InferRequest") }, "application/octet-stream": {} },
    },
    responses: {
      ...replied(named("InferResponse")),
      200: {
        description: binary,
        content: { [jsonType]: { schema: named("InferResponse") }, "application/octet-stream": {} },
      },
    },
  }),
  "/v2/repository/index": {
    post: {
      ...tag,
      operationId: "RepositoryIndex",
      requestBody: {
        content: { [jsonType]: { schema: { type: "object", properties: { ready: { type: "boolean" } } } } },
      },
      responses: replied({ type: "array", items: named("ModelIndex") }),
    },
  },
  ...repositoryPath("load", "RepositoryModelLoad"),
  ...repositoryPath("unload", "RepositoryModelUnload"),
};

function repositoryPath(verb: string, operationId: string): Record<string, Record<string, unknown>> {
  const body = { type: "object", properties: { parameters: named("Parameters") } };
  return {
    [`/v2/repository/models/{model}/${verb}`]: {
      post: {
        ...tag,
        operationId,
        parameters: [model],
        requestBody: { content: { [jsonType]: { schema: body } } },
        responses: replied({ type: "object" }),
      },
    },
  };
}

const list = (items: Schema): Schema => ({ type: "array", items });
const shape = list({ type: "integer", format: "int64" });
const tensorHead = { name: text, datatype: named("DataType"), shape, parameters: named("Parameters") };
const anyValues = { description: "A number, a text, true, false, or arrays of them, as deep as the shape." };

/** What those paths name. */
export const inferenceSchemas: Readonly<Record<string, Schema>> = {
  DataType: {
    type: "string",
    enum: [
      "BOOL",
      "UINT8",
      "UINT16",
      "UINT32",
      "UINT64",
      "INT8",
      "INT16",
      "INT32",
      "INT64",
      "FP16",
      "BF16",
      "FP32",
      "FP64",
      "BYTES",
    ],
  },
  Parameters: {
    type: "object",
    additionalProperties: { type: ["boolean", "number", "string"] },
    description:
      "Such as priority, timeout in microseconds, sequence_id, sequence_start, sequence_end, classification.",
  },
  Data: {
    type: "array",
    description: "The elements in row-major order, flat or nested. FP16 and BF16 travel as binary data only.",
    items: {},
  },
  TensorMetadata: { type: "object", properties: { name: text, datatype: named("DataType"), shape } },
  InferRequest: {
    type: "object",
    properties: {
      id: text,
      parameters: named("Parameters"),
      inputs: list({
        type: "object",
        properties: { ...tensorHead, data: named("Data") },
        required: ["name", "datatype", "shape"],
      }),
      outputs: list({
        type: "object",
        properties: { name: text, parameters: named("Parameters") },
        required: ["name"],
      }),
    },
    required: ["inputs"],
  },
  InferResponse: {
    type: "object",
    properties: {
      id: text,
      model_name: text,
      model_version: text,
      parameters: named("Parameters"),
      outputs: list({ type: "object", properties: { ...tensorHead, data: named("Data") } }),
    },
    required: ["model_name", "model_version", "outputs"],
  },
  ServerMetadata: { type: "object", properties: { name: text, version: text, extensions: list(text) } },
  ModelMetadata: {
    type: "object",
    properties: {
      name: text,
      versions: list(text),
      platform: text,
      inputs: list(named("TensorMetadata")),
      outputs: list(named("TensorMetadata")),
    },
  },
  ModelIndex: { type: "object", properties: { name: text, version: text, state: text, reason: text } },
  PredictRequest: {
    type: "object",
    description: "With input for a model that has one input, and inputs for one that has several.",
    properties: {
      model: text,
      version: {
        type: ["string", "integer"],
        description: "A number or an alias; the alias default where it is left out.",
      },
      input: anyValues,
      inputs: { type: "object", additionalProperties: anyValues },
    },
    required: ["model"],
  },
  PredictResponse: {
    type: "object",
    description: "With output where the model has one output, and outputs where it has several.",
    properties: {
      model: text,
      version: text,
      output: anyValues,
      outputs: { type: "object", additionalProperties: anyValues },
    },
    required: ["model", "version"],
  },
};
