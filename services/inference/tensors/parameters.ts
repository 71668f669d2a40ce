import { ServiceError } from "../../../lib/errors.ts";
import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";
import { quoted } from "./tensor-fault.ts";

/**
 * Refuses parameters of extensions that would change the result and are not served here, so that nobody gets an answer
 * to another question. All other parameters are hints and may be ignored.
 */
export function refuseUnsupported(request: Request): void {
  for (const { name, parameters } of request.inputs) refuse(parameters, sharedMemory, ` of input ${quoted(name)}`);
  for (const { name, parameters } of request.outputs) refuse(parameters, sharedMemory, ` of output ${quoted(name)}`);
}

/** What a request says of its sequence. */
export interface SequenceStep {
  /** The number, or the text in quotes; empty where the request belongs to none. */
  readonly id: string;
  /** Whether the sequence begins with it, anew where there was one. */
  readonly starts: boolean;
  readonly ends: boolean;
}

/** The parameters of the sequence extension. Throws REQUEST_INVALID where they have other types. */
export function sequenceOf({ parameters }: Request): SequenceStep {
  return {
    id: sequenceId(parameters),
    starts: flagOf(parameters, "sequence_start"),
    ends: flagOf(parameters, "sequence_end"),
  };
}

/** How many responses a request wants at most; 0 where it does not say. Throws REQUEST_INVALID where it wants none. */
export function responsesMaxOf({ parameters }: Request): number {
  return Object.hasOwn(parameters, "max_responses") ? wholeOf(parameters, "max_responses", 1) : 0;
}

/** Whether a request wants to be told by a response without outputs that there are no more. */
export function wantsEmptyFinalResponse({ parameters }: Request): boolean {
  return flagOf(parameters, "triton_enable_empty_final_response");
}

/** What a request says of its turn. Throws REQUEST_INVALID where it is not said in whole numbers. */
export function waitingOf({ parameters }: Request): { readonly priority: number; readonly timeoutMs: number } {
  // Clocks here count in milliseconds: a shorter time is one of them.
  return { priority: wholeOf(parameters, "priority"), timeoutMs: Math.ceil(wholeOf(parameters, "timeout") / 1000) };
}

/** A number as it is, a text in quotes, so that they never mean the same; 0 and the empty text are none. */
function sequenceId(parameters: Request["parameters"]): string {
  if (!Object.hasOwn(parameters, "sequence_id")) return "";
  const { parameterChoice, int64Param, uint64Param, stringParam } = parameters.sequence_id;
  switch (parameterChoice) {
    case "int64Param":
    case "uint64Param": {
      // As in Triton a negative number is the unsigned one of the same bits.
      const number = BigInt.asUintN(64, BigInt(int64Param ?? uint64Param ?? 0));
      return number === 0n ? "" : String(number);
    }
    case "stringParam": {
      const bytes = Buffer.byteLength(stringParam ?? "");
      if (bytes > sequenceIdBytesMax)
        throw unlike("sequence_id", `${bytes} bytes long`, `at most ${sequenceIdBytesMax}`);
      return stringParam === "" ? "" : `'${stringParam}'`;
    }
    default:
      throw unlike("sequence_id", parameterChoice ?? "nothing", "an int64_param, uint64_param or string_param");
  }
}

/** Triton's bound. */
const sequenceIdBytesMax = 128;

/** False where it is not there. */
function flagOf(parameters: Request["parameters"], name: string): boolean {
  if (!Object.hasOwn(parameters, name)) return false;
  const { parameterChoice, boolParam } = parameters[name];
  if (parameterChoice !== "boolParam") throw unlike(name, parameterChoice ?? "nothing", "a bool_param");
  return boolParam ?? false;
}

/** 0 where it is not there. */
function wholeOf(parameters: Request["parameters"], name: string, least = 0): number {
  if (!Object.hasOwn(parameters, name)) return 0;
  const { parameterChoice, int64Param, uint64Param } = parameters[name];
  const text = parameterChoice === "int64Param" ? int64Param : uint64Param;
  if (text !== undefined && Number(text) >= least) return Number(text);
  const seen = text ?? parameterChoice ?? "nothing";
  throw unlike(name, String(seen), `an int64_param or uint64_param from ${least}`);
}

function unlike(name: string, seen: string, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `the parameter '${name}' is ${seen}; needed: ${needed}`);
}

const sharedMemory = ["shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"];

function refuse(parameters: Request["parameters"], unsupported: readonly string[], where = ""): void {
  const found = unsupported.find((name) => Object.hasOwn(parameters, name));
  if (found === undefined) return;
  throw new ServiceError("UNSUPPORTED", `the parameter '${found}'${where} belongs to an extension that is not served`);
}
