import type { Sample__Output } from "../../../lib/gen/amaas/registry/v1/Sample.ts";
import type { SampleTensor__Output } from "../../../lib/gen/amaas/registry/v1/SampleTensor.ts";
import { type DataType, elementBytes, elementCount, type Tensor } from "../../../lib/tensor.ts";
import { sampleJsonOf, textsOf } from "../validation/sample.ts";
import { checkText, invalid } from "./requests.ts";

/** Checks the form of a sample, and gives it as the database keeps it; null where there is none. */
export function sampleJsonIn(sample: Sample__Output | null): string | null {
  if (sample === null) return null;
  const { inputs } = sample;
  const bytes = inputs.reduce((sum, { contents }) => sum + contents.length, 0);
  if (bytes > sampleBytesMax) throw invalid("sample", `${bytes} bytes`, `at most ${sampleBytesMax} bytes`);
  if (inputs.length > inputsMax) throw invalid("sample.inputs", `${inputs.length} inputs`, `at most ${inputsMax}`);
  const tensors = inputs.map((input, index) => tensorOf(`sample.inputs[${index}]`, input));
  const names = tensors.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid("sample.inputs", `${JSON.stringify(twice)} twice`, "each input once");
  return sampleJsonOf(tensors);
}

const sampleBytesMax = 4 * 1024 ** 2;
const inputsMax = 1024;
const axesMax = 64;

function tensorOf(field: string, { name, dataType, shape, contents }: SampleTensor__Output): Tensor {
  checkText(`${field}.name`, name, 1024);
  if (!Object.hasOwn(elementBytes, dataType)) {
    throw invalid(`${field}.data_type`, JSON.stringify(dataType.slice(0, 100)), Object.keys(elementBytes).join(", "));
  }
  if (shape.length > axesMax) throw invalid(`${field}.shape`, `${shape.length} axes`, `at most ${axesMax} axes`);
  if (shape.some((size) => !(Number.isSafeInteger(size) && size >= 0))) {
    throw invalid(`${field}.shape`, `[${shape.join(", ")}]`, "sizes from 0");
  }
  const tensor = { name, dataType: dataType as DataType, shape, bytes: contents };
  checkContents(`${field}.contents`, tensor);
  return tensor;
}

function checkContents(field: string, { dataType, shape, bytes }: Tensor): void {
  const count = elementCount(shape);
  const elementSize = elementBytes[dataType];
  if (elementSize !== undefined) {
    const needed = count * elementSize;
    if (bytes.length !== needed)
      throw invalid(field, `${bytes.length} bytes`, `${needed} bytes, by its shape and type`);
    return;
  }
  try {
    textsOf(bytes, count);
  } catch (failure) {
    if (!(failure instanceof RangeError)) throw failure;
    throw invalid(field, `wrong: ${failure.message}`, `${count} times a length and as many bytes of UTF-8`);
  }
}
