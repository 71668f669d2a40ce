import { ServiceError } from "../../../lib/errors.ts";
import { versionNumber } from "../../../lib/resource-names.ts";
import { type CallContext, modelKey, versionKey } from "../../../lib/rpc/call-context.ts";
import { quoted } from "../tensors/tensor-fault.ts";

/** What a call is for. */
export interface ModelReference {
  readonly model: string;
  /** A number, an alias, or empty for the default. */
  readonly version: string;
}

/** What a call is for, by its message, and by what a gateway has made of that, which wins. Throws REQUEST_INVALID. */
export function modelReference(named: ModelReference, { headers }: Pick<CallContext, "headers">): ModelReference {
  const { [modelKey]: model, [versionKey]: version } = headers;
  return {
    model: model === undefined ? named.model : model.toString(),
    version: version === undefined ? named.version : checkedNumber(version.toString()),
  };
}

function checkedNumber(text: string): string {
  if (versionNumber(text) !== undefined) return text;
  throw new ServiceError("REQUEST_INVALID", `the metadata ${versionKey} is ${quoted(text)}; needed: a version number`);
}
