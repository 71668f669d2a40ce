import { ServiceError } from "../../lib/errors.ts";
import { modelKey, versionKey } from "../../lib/rpc/call-context.ts";
import { type ModelRef, shown } from "./model-ref.ts";

/** What came with a call besides its messages. */
export type CallHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Which version of which model a call is for, as all of it says. */
export interface CalledRef extends ModelRef {
  /** The version that the metadata asks for instead of the named one. */
  readonly override?: string;
}

/**
 * What a call is for, by a message of it and by its metadata: the model by the message or by `amaas-model`, and the version by the
 * message, by the model's name (`digits@canary`), or by `amaas-version`, which asks for an override where the message names another
 * one. Throws REQUEST_INVALID where they contradict each other.
 */
export function calledRef<Ref extends ModelRef>(ref: Ref, headers: CallHeaders): Ref & CalledRef {
  const told = textOf(headers[modelKey]);
  const { model, version } = named(ref.model || told, ref.version);
  if (ref.model !== "" && told !== "" && told !== ref.model && told !== model) {
    throw new ServiceError(
      "REQUEST_INVALID",
      `the metadata ${modelKey} is '${shown(told)}'; needed: '${shown(model)}', which the request names, or nothing`,
    );
  }
  const wanted = textOf(headers[versionKey]);
  if (wanted === "" && model === ref.model) return ref;
  if (version === "" || wanted === "" || wanted === version) return { ...ref, model, version: version || wanted };
  return { ...ref, model, version, override: wanted };
}

/** Splits what stands after an '@' from the model's name; names of models have none. */
function named(name: string, version: string): Pick<ModelRef, "model" | "version"> {
  const at = name.indexOf("@");
  if (at < 0) return { model: name, version };
  const own = name.slice(at + 1);
  if (own === "" || (version !== "" && version !== own)) {
    const needed = own === "" ? "an alias or a version after the '@'" : `version '${shown(own)}', or none besides it`;
    throw new ServiceError(
      "REQUEST_INVALID",
      `the request names model '${shown(name)}' and version '${shown(version)}'; needed: ${needed}`,
    );
  }
  return { model: name.slice(0, at), version: own };
}

function textOf(header: string | string[] | undefined): string {
  return header === undefined ? "" : String(header);
}
