import { ServiceError } from "../../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import { quoted } from "./tensor-fault.ts";

/**
 * Refuses parameters of extensions that would change the result and are not served here, so that nobody gets an answer
 * to another question. All other parameters are hints and may be ignored.
 */
export function refuseUnsupported(request: Request): void {
  refuse(request.parameters, sequence);
  for (const { name, parameters } of request.inputs) refuse(parameters, sharedMemory, ` of input ${quoted(name)}`);
  for (const { name, parameters } of request.outputs) refuse(parameters, sharedMemory, ` of output ${quoted(name)}`);
}

/** What a request says of its turn. Throws REQUEST_INVALID where it is not said in whole numbers. */
export function waitingOf({ parameters }: Request): { readonly priority: number; readonly timeoutMs: number } {
  // Clocks here count in milliseconds: a shorter time is one of them.
  return { priority: wholeOf(parameters, "priority"), timeoutMs: Math.ceil(wholeOf(parameters, "timeout") / 1000) };
}

/** 0 where it is not there. */
function wholeOf(parameters: Request["parameters"], name: string): number {
  if (!Object.hasOwn(parameters, name)) return 0;
  const { parameterChoice, int64Param, uint64Param } = parameters[name];
  const text = parameterChoice === "int64Param" ? int64Param : uint64Param;
  if (text !== undefined && Number(text) >= 0) return Number(text);
  const seen = text ?? parameterChoice ?? "nothing";
  const message = `the parameter '${name}' is ${seen}; needed: an int64_param or uint64_param from 0`;
  throw new ServiceError("REQUEST_INVALID", message);
}

const sequence = ["sequence_id", "sequence_start", "sequence_end"];
const sharedMemory = ["shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"];

function refuse(parameters: Request["parameters"], unsupported: readonly string[], where = ""): void {
  const found = unsupported.find((name) => Object.hasOwn(parameters, name));
  if (found === undefined) return;
  throw new ServiceError("UNSUPPORTED", `the parameter '${found}'${where} belongs to an extension that is not served`);
}
