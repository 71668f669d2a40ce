import type { DataType } from "../../../lib/tensor.ts";
import { restType } from "./contracts.ts";

/** An input or an output of a model. */
export interface TensorHead {
  readonly name: string;
  readonly datatype: DataType;
}

/** What a version takes and gives. */
export interface Signature {
  readonly inputs: readonly TensorHead[];
  readonly outputs: readonly TensorHead[];
}

/** The signatures of versions that were asked for of late: a version does not change. */
export class SignatureCache {
  readonly #entriesMax: number;
  readonly #byVersion = new Map<string, Signature>();

  /** Holds at most so many. */
  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  /** That of "model@version"; made by `ask`, which answers with `inference.ModelMetadataResponse`, where it is not there. */
  async of(version: string, ask: () => Promise<Buffer>): Promise<Signature> {
    const signature = this.#byVersion.get(version) ?? signatureOf(await ask());
    // The last asked for is the last one to go.
    this.#byVersion.delete(version);
    this.#byVersion.set(version, signature);
    const [oldest] = this.#byVersion.keys();
    if (this.#byVersion.size > this.#entriesMax) this.#byVersion.delete(oldest!);
    return signature;
  }

  /** Forgets one that may not be true: a registry that was begun anew gives numbers again. */
  forget(version: string): void {
    this.#byVersion.delete(version);
  }
}

function signatureOf(metadata: Buffer): Signature {
  const { inputs, outputs } = restType("inference.ModelMetadataResponse").decode(metadata) as unknown as Signature;
  const headsOf = (tensors: readonly TensorHead[]) => tensors.map(({ name, datatype }) => ({ name, datatype }));
  return { inputs: headsOf(inputs), outputs: headsOf(outputs) };
}
