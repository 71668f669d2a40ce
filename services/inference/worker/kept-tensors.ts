import { assert } from "../../../lib/errors.ts";
import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import { modelOf } from "../../../lib/onnx/export.ts";
import { writeModel } from "../../../lib/onnx/model.ts";
import type { Signature } from "../../../lib/tensor.ts";
import type { DeviceTensor, RuntimeSession, RuntimeTensor } from "./binding.ts";

/** A tensor that a session keeps on its device, by a number. */
export interface KeptTensor extends Pick<DeviceTensor, "type" | "dims" | "location"> {
  readonly heldId: number;
}

/** Those of the named outputs of a model that a device can keep. */
export function keptOf(names: readonly string[], { outputs }: Signature): readonly string[] {
  const types: readonly string[] = Object.values(computed);
  return outputs.filter(({ name, dataType }) => names.includes(name) && types.includes(dataType)).map(nameOf);
}

/** What WebGPU computes with, by the runtime's names. The CPU computes other types, which would be copied there and back for nothing. */
const computed = { float32: "FP32", float16: "FP16", int32: "INT32", uint32: "UINT32" } as const;

/** What one session keeps on its device. `taken`, `free` and `close` are to be called while the thread may use that. */
export class KeptTensors {
  readonly #names: readonly string[];
  readonly #outputNames: readonly string[];
  readonly #load: (model: Uint8Array) => RuntimeSession;
  readonly #tensors = new Map<number, DeviceTensor>();
  /** By type and rank of what they read. */
  readonly #readers = new Map<string, RuntimeSession>();
  #nextId = 0;

  /** `names` are those of all outputs that the session leaves on the device, where `load` makes a session of another model. */
  constructor(
    names: readonly string[],
    { outputMetadata }: Pick<RuntimeSession, "outputMetadata">,
    load: (model: Uint8Array) => RuntimeSession,
  ) {
    this.#names = names;
    this.#outputNames = outputMetadata.map(nameOf);
    this.#load = load;
  }

  /** The outputs that a run has to fetch: all where some stay, since the runtime takes one for another otherwise (1.30). */
  fetched(wanted: readonly string[]): readonly string[] {
    return this.#names.length === 0 ? wanted : this.#outputNames;
  }

  /** What is kept by that number: the runtime would end the process over one that was freed. */
  get(heldId: number): DeviceTensor {
    const tensor = this.#tensors.get(heldId);
    assert(tensor !== undefined, "what was freed is not given to a run");
    return tensor;
  }

  /** What is wanted of what a run has given: from the device, or kept there by `heldName`. What else is there is freed. */
  taken(
    results: Readonly<Record<string, RuntimeTensor | DeviceTensor>>,
    wanted: readonly string[],
  ): readonly (RuntimeTensor | KeptTensor)[] {
    if (this.#names.length === 0) return wanted.map((name) => results[name] as RuntimeTensor);
    const kept = new Set<unknown>();
    const keep = (name: string): KeptTensor => {
      const tensor = results[name.slice(1)] as DeviceTensor;
      kept.add(tensor);
      const heldId = this.#nextId++;
      this.#tensors.set(heldId, tensor);
      return { heldId, type: tensor.type, dims: tensor.dims, location: tensor.location };
    };
    try {
      // First what may fail.
      const read = wanted.map((name) => (Object.hasOwn(results, name) ? this.#read(results[name]) : undefined));
      return wanted.map((name, index) => read[index] ?? keep(name));
    } finally {
      for (const name of this.#names) if (!kept.has(results[name])) (results[name] as DeviceTensor).dispose();
    }
  }

  free(heldId: number): void {
    this.get(heldId).dispose();
    this.#tensors.delete(heldId);
  }

  /** Frees all that there is. */
  close(): void {
    for (const heldId of this.#tensors.keys()) this.free(heldId);
    for (const reader of this.#readers.values()) reader.dispose();
  }

  /** By a graph that gives what it is given: the runtime's own way ends the process (1.30). */
  #read(tensor: RuntimeTensor | DeviceTensor): RuntimeTensor {
    if (tensor.location === "cpu") return tensor;
    const kind = `${tensor.type},${tensor.dims.length}`;
    const reader = this.#readers.get(kind) ?? this.#load(readingModel(tensor));
    this.#readers.set(kind, reader);
    return reader.run({ x: tensor }, { y: null }, {}).y as RuntimeTensor;
  }
}

function readingModel({ type, dims }: DeviceTensor): Uint8Array {
  const graph = new GraphBuilder("read");
  const shape = dims.map((_, axis) => `d${axis}`);
  graph.output("y", graph.input("x", computed[type as keyof typeof computed], shape));
  return writeModel(modelOf(graph.graph()));
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
