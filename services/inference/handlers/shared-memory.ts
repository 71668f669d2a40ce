import { ServiceError } from "../../../lib/errors.ts";
import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";

/** The calls about shared memory, which is not served: clients are told what to do instead. */
export function sharedMemoryHandlers() {
  return {
    SystemSharedMemoryStatus: refuse,
    SystemSharedMemoryRegister: refuse,
    SystemSharedMemoryUnregister: refuse,
    CudaSharedMemoryStatus: refuse,
    CudaSharedMemoryRegister: refuse,
    CudaSharedMemoryUnregister: refuse,
  } satisfies Handlers<GRPCInferenceServiceHandlers>;
}

function refuse(): never {
  throw new ServiceError("UNSUPPORTED", "shared memory is not served: send tensors as raw_input_contents");
}
