import { ServiceError } from "../../../lib/errors.ts";
import { versionNumber } from "../../../lib/resource-names.ts";
import { type CallContext, versionKey } from "../../../lib/rpc/call-context.ts";
import { quoted } from "../tensors/tensor-fault.ts";

/** The version that a call asks for: a number, an alias, or empty for the default. */
export function versionReference(modelVersion: string, { metadata }: Pick<CallContext, "metadata">): string {
  const [routed] = metadata.get(versionKey);
  if (routed === undefined) return modelVersion;
  const text = routed.toString();
  if (versionNumber(text) !== undefined) return text;
  throw new ServiceError("REQUEST_INVALID", `the metadata ${versionKey} is ${quoted(text)}; needed: a version number`);
}
