import sharp from "sharp";
import { assert, messageOf } from "../../../../lib/errors.ts";
import { datasetError } from "./dataset-error.ts";
import { type ImageScaling, type ImageSize, type ImagesFormat, imageSideMax } from "./file-format.ts";

/** Bytes of an image's file. */
export const imageFileBytesMax = 64 * 1024 ** 2;

/** Pixels of an image before it is scaled; a small file may say that it has any number. */
const pixelsMax = 64 * 1024 ** 2;

/** What all images become; `fit` is undefined where they have the size already. */
export interface ImageForm extends ImageSize, Pick<ImagesFormat, "channels"> {
  readonly fit: ImageScaling["fit"] | undefined;
}

/**
 * Decodes a PNG or JPEG file, turned as its EXIF data say, over black where it is transparent, and scales it: values 0 to 255, [channels,
 * height, width]. Throws DATASET_INVALID that names the file.
 */
export async function pixelsOf(bytes: Buffer, name: string, form: ImageForm): Promise<Uint8Array> {
  const { width, height, channels, fit } = form;
  const { data, info } = await decoded(bytes, name, (image) => {
    const flat = image.flatten({ background: "black" });
    const scaled = fit === undefined ? flat : flat.resize(width, height, { fit, background: "black" });
    return scaled
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
  });
  if (info.width !== width || info.height !== height) {
    const needed = `${width} × ${height}, as the first image has, or data.images.width and height to scale to`;
    throw datasetError(`${name} has ${info.width} × ${info.height} pixels; needed: ${needed}`, { place: name });
  }
  assert(data.length === width * height * channels, "decoded images have the channels that were asked for");
  return planesOf(data, channels, width * height);
}

/** The size of an image, turned as its EXIF data say. Throws DATASET_INVALID that names the file. */
export async function sizeOf(bytes: Buffer, name: string): Promise<ImageSize> {
  const { autoOrient } = await decoded(bytes, name, (image) => image.metadata());
  for (const side of [autoOrient.width, autoOrient.height]) {
    if (side <= imageSideMax) continue;
    const needed = `at most ${imageSideMax} in each direction, or data.images.width and height to scale to`;
    throw datasetError(`${name} has ${autoOrient.width} × ${autoOrient.height} pixels; needed: ${needed}`);
  }
  return autoOrient;
}

async function decoded<Result>(
  bytes: Buffer,
  name: string,
  use: (image: ReturnType<typeof sharp>) => Promise<Result>,
): Promise<Result> {
  // The decoder knows many formats more, which are more ways to be wrong.
  if (!isPng(bytes) && !isJpeg(bytes)) throw datasetError(`${name} is neither PNG nor JPEG by its first bytes`);
  try {
    return await use(sharp(bytes, { limitInputPixels: pixelsMax, failOn: "error" }).autoOrient());
  } catch (failure) {
    throw datasetError(`${name} cannot be decoded: ${messageOf(failure)}`, { place: name });
  }
}

function isPng(bytes: Buffer): boolean {
  return bytes.subarray(0, 8).toString("latin1") === "\x89PNG\r\n\x1a\n";
}

function isJpeg(bytes: Buffer): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** From a pixel's channels side by side to one plane per channel. */
function planesOf(pixels: Uint8Array, channels: number, pixelCount: number): Uint8Array {
  const planes = new Uint8Array(pixels.length);
  for (let pixel = 0; pixel < pixelCount; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      planes[channel * pixelCount + pixel] = pixels[pixel * channels + channel];
    }
  }
  return planes;
}
