import { ServiceError } from "../../../lib/errors.ts";
import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { RepositoryModelLoadRequest__Output as LoadRequest } from "../../../lib/gen/inference/RepositoryModelLoadRequest.ts";
import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { configChanges } from "../control/config-changes.ts";
import { describedBy } from "../control/config-description.ts";
import type { LoadLimits, ModelControl } from "../control/model-control.ts";
import { repositoryIndex } from "../control/repository-index.ts";
import type { ReplicaSet } from "../replicas/replica-set.ts";
import { quoted } from "../tensors/tensor-fault.ts";
import { type ConfigDefaults, readyConfigs } from "./model-config.ts";
import { modelReference } from "./model-reference.ts";

/** RepositoryIndex, RepositoryModelLoad and RepositoryModelUnload. A node has one repository: what is assigned to it. */
export function repositoryHandlers(
  control: ModelControl,
  replicas: Pick<ReplicaSet, "held" | "refusalOf" | "table">,
  node: ConfigDefaults,
) {
  const load = async (model: string, config: string, call: LoadLimits): Promise<void> => {
    const configs = () => readyConfigs(replicas.table, model, node);
    const choice = control.choiceOf(model);
    const known = configs();
    const { changes, description } = ofLoad(model, () =>
      configChanges(config, model, {
        configs: known,
        changes: choice.kind === "loaded" ? choice.changes : {},
        instanceGroups: control.assigned.findLast((version) => version.model === model)?.settings.instanceGroups ?? [],
      }),
    );
    // What a model is like that is not loaded is known once it is.
    const check = () => void (known.length > 0 || ofLoad(model, () => describedBy(description, configs())));
    await control.load(model, changes, call, check);
  };
  return {
    RepositoryIndex: ({ ready }) => {
      const models = repositoryIndex(control.assigned, replicas.held, {
        choiceOf: (model) => control.choiceOf(model),
        refusalOf: (version) => replicas.refusalOf(version),
      });
      return { models: ready ? models.filter(({ state }) => state === "READY") : models };
    },
    RepositoryModelLoad: async (request, call) => {
      const model = modelOf(request, call);
      const config = checkedParameters(request, { config: "stringParam" }).config?.stringParam;
      await (config === undefined ? control.load(model, {}, call) : load(model, config, call));
      return {};
    },
    RepositoryModelUnload: (request, call) => {
      // Models here do not depend on each other.
      checkedParameters(request, { unload_dependents: "boolParam" });
      control.unload(modelOf(request, call));
      return {};
    },
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

/** What is made of a `config`; its faults begin with what Triton's clients look for. */
function ofLoad<Made>(model: string, make: () => Made): Made {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof ServiceError)) throw cause;
    throw new ServiceError(cause.reason, `failed to load ${quoted(model)}: ${cause.message}`, { cause });
  }
}

/** KServe's clients name the model where Triton's name the repository. */
function modelOf(
  { modelName, repositoryName }: Pick<LoadRequest, "modelName" | "repositoryName">,
  call: Pick<CallContext, "headers">,
): string {
  return modelReference({ model: modelName || repositoryName, version: "" }, call).model;
}

/** The parameters of a call, which has no others than these, each of its type. */
function checkedParameters(
  { parameters }: Pick<LoadRequest, "parameters">,
  types: Readonly<Record<string, "stringParam" | "boolParam">>,
): LoadRequest["parameters"] {
  for (const [name, { parameterChoice }] of Object.entries(parameters)) {
    if (name.startsWith("file:")) {
      const message = `the parameter ${quoted(name)} gives a file; needed: a version in the registry, whose files are checked`;
      throw new ServiceError("UNSUPPORTED", message);
    }
    if (!Object.hasOwn(types, name)) {
      const message = `the parameter ${quoted(name)} is not known; needed: only ${Object.keys(types).join(", ")}`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
    if (parameterChoice !== types[name]) {
      const message = `the parameter ${quoted(name)} is a ${parameterChoice ?? "nothing"}; needed: ${types[name]}`;
      throw new ServiceError("REQUEST_INVALID", message);
    }
  }
  return parameters;
}
