import { product } from "../../../../lib/onnx/shapes.ts";
import { archiveFiles } from "./archive.ts";
import type { ArchiveFile } from "./archive-file.ts";
import { datasetError } from "./dataset-error.ts";
import type { DatasetFile, ImagesFormat } from "./file-format.ts";
import { type ImageForm, imageFileBytesMax, pixelsOf, sizeOf } from "./image-pixels.ts";
import { rowsPerBatch, type TensorBatch, type Tensors } from "./tensors.ts";

/**
 * Images in an archive, all of one size, or scaled to one; values are 0 to 255, [channels, height, width]. The folder that an image lies in
 * is its class; where none lies in a folder there are no targets. Hidden files are left out. Throws DATASET_INVALID that names the file for
 * anything but PNG and JPEG, for damage, and for another size than that of the first.
 */
export async function openImages(file: DatasetFile, format: ImagesFormat): Promise<Tensors> {
  const names: string[] = [];
  let form: ImageForm | undefined;
  for await (const image of imagesIn(file)) {
    names.push(image.name);
    form ??= await formOf(image, format);
  }
  if (form === undefined) throw datasetError("the archive has no images; needed: PNG or JPEG files");
  const classNames = classNamesOf(names);
  return {
    kind: "tensors",
    rowCount: names.length,
    featureShape: shapeOf(form),
    featureType: "FP32",
    targetShape: classNames && [],
    targetType: "INT32",
    classNames,
    placeOf: (row) => names[row],
    close: () => {},
    batches: () => batches(file, form, classNames),
  };
}

/** What all images become, by the first one where they are not scaled. */
async function formOf(first: ArchiveFile, { scaled, channels }: ImagesFormat): Promise<ImageForm> {
  if (scaled !== undefined) return { ...scaled, channels };
  const { width, height } = await sizeOf(await wholeOf(first), first.name);
  return { width, height, channels, fit: undefined };
}

function shapeOf({ channels, height, width }: ImageForm): readonly [number, number, number] {
  return [channels, height, width];
}

/** The images of an archive, in its order; throws DATASET_INVALID for other files, but hidden ones. */
async function* imagesIn({ path, expandedBytesMax }: DatasetFile): AsyncGenerator<ArchiveFile> {
  for await (const file of archiveFiles(path, { expandedBytesMax })) {
    if (/(^|\/)(\.|__MACOSX\/|Thumbs\.db$)/.test(file.name.replace(/^\.\//, ""))) continue;
    if (!/\.(png|jpe?g)$/i.test(file.name)) {
      throw datasetError(`the archive has a file ${JSON.stringify(file.name)}; needed: .png, .jpg or .jpeg`);
    }
    if (file.bytes > imageFileBytesMax) {
      throw datasetError(`${file.name} has ${file.bytes} bytes; needed: at most ${imageFileBytesMax}`);
    }
    yield file;
  }
}

/** The folders in alphabetical order, by code points; undefined if no image lies in one. */
function classNamesOf(names: readonly string[]): readonly string[] | undefined {
  const folders = new Set(names.map(folderOf));
  if (folders.size === 1 && folders.has(undefined)) return undefined;
  if (!folders.has(undefined)) return [...folders].map(String).sort(byCodePoints);
  const outside = names.find((name) => folderOf(name) === undefined);
  throw datasetError(`${outside} lies in no folder, and others do; needed: a folder for each class`);
}

function folderOf(name: string): string | undefined {
  const folder = name.split("/").at(-2);
  return folder === "" || folder === "." ? undefined : folder;
}

function byCodePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

async function* batches(
  file: DatasetFile,
  form: ImageForm,
  classNames: readonly string[] | undefined,
): AsyncGenerator<TensorBatch> {
  const elementCount = product(shapeOf(form));
  const rowsMax = rowsPerBatch(elementCount);
  const classes = new Map(classNames?.map((name, index) => [name, index]));
  let batch = new Batch(rowsMax, elementCount);
  for await (const image of imagesIn(file)) {
    const bytes = await wholeOf(image);
    await batch.add(pixelsOf(bytes, image.name, form), classes.get(folderOf(image.name) ?? ""), file.threadCount * 2);
    if (batch.rowCount < rowsMax) continue;
    yield await batch.finished();
    batch = new Batch(rowsMax, elementCount);
  }
  if (batch.rowCount > 0) yield await batch.finished();
}

async function wholeOf(file: ArchiveFile): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.open()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Images that are decoded at the same time, as rows. */
class Batch {
  rowCount = 0;
  readonly #features: Float32Array;
  readonly #targets: Int32Array;
  readonly #elementCount: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly failure: unknown } | undefined;

  constructor(rowsMax: number, elementCount: number) {
    this.#features = new Float32Array(rowsMax * elementCount);
    this.#targets = new Int32Array(rowsMax);
    this.#elementCount = elementCount;
  }

  /** Adds an image; waits while `runningMax` are being decoded. Throws what one of them has failed with. */
  async add(pixels: Promise<Uint8Array>, target: number | undefined, runningMax: number): Promise<void> {
    const row = this.rowCount++;
    this.#targets[row] = target ?? 0;
    const running: Promise<void> = pixels
      .then((values) => this.#features.set(values, row * this.#elementCount))
      .catch((failure) => {
        this.#failure ??= { failure };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    if (this.#running.size >= runningMax) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure.failure;
  }

  async finished(): Promise<TensorBatch> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.failure;
    const { rowCount } = this;
    const features = this.#features.subarray(0, rowCount * this.#elementCount);
    return { rowCount, features, targets: this.#targets.subarray(0, rowCount) };
  }
}
