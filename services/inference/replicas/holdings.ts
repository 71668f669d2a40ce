import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import { type HeldTensor, type Hold, holdOf } from "../tensors/held-tensor.ts";
import type { SessionTensor } from "../worker/thread-protocol.ts";

/** What the session of one instance keeps on its device, as those see it that run it. */
export class Holdings {
  readonly #free: (heldId: number) => void;
  readonly #heldIds = new Map<Hold, number>();

  /** `free` tells the session to free what it keeps by a number; called once for each. */
  constructor(free: (heldId: number) => void) {
    this.#free = free;
  }

  /** A tensor that the session has given. */
  received(output: SessionTensor): Tensor {
    if (output.heldId === undefined) return output;
    const { heldId, ...tensor } = output;
    const heldIds = this.#heldIds;
    const hold: Hold = {
      get isGone() {
        return !heldIds.has(hold);
      },
      letGo: () => {
        if (heldIds.delete(hold)) this.#free(heldId);
      },
    };
    heldIds.set(hold, heldId);
    const held: HeldTensor = { ...tensor, hold };
    return held;
  }

  /** The same on its way to the session. Throws MODEL_NOT_READY where it was let go, as all is that is kept for an unload. */
  given(tensor: Tensor): SessionTensor {
    const hold = holdOf(tensor);
    if (hold === undefined) return tensor;
    const heldId = this.#heldIds.get(hold);
    if (heldId === undefined)
      throw new ServiceError("MODEL_NOT_READY", "the version keeps what it was to run with no longer");
    const { name, dataType, shape, bytes } = tensor;
    return { name, dataType, shape, bytes, heldId };
  }

  /** Says that the session is gone, with all that it kept. */
  lose(): void {
    this.#heldIds.clear();
  }
}
