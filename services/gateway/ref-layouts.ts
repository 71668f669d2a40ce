import type { RefLayout } from "./model-ref.ts";

/** Requests about a model that also have no tensors: their fields are name and version. */
export const nameAndVersion: RefLayout = { model: 1, version: 2 };

/** ModelInferRequest. */
export const inferRequest: RefLayout = { model: 1, version: 2, parameters: 4 };

/** Methods with one message each way that a node answers, and where their requests name the model. */
export const routedMethods = {
  ModelMetadata: nameAndVersion,
  ModelInfer: inferRequest,
  ModelConfig: nameAndVersion,
  ModelStatistics: nameAndVersion,
  RepositoryModelLoad: { model: 2, modelFallback: 1 },
  RepositoryModelUnload: { model: 2, modelFallback: 1 },
} as const satisfies Record<string, RefLayout>;
