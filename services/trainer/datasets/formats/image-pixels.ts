import sharp from "sharp";
import { assert, messageOf } from "../../../../lib/errors.ts";
import { datasetError } from "./dataset-error.ts";
import type { ImagesFormat } from "./file-format.ts";

/** Bytes of an image's file. */
export const imageFileBytesMax = 64 * 1024 ** 2;

/** Pixels of an image before it is scaled; a small file may say that it has any number. */
const pixelsMax = 64 * 1024 ** 2;

/**
 * Decodes a PNG or JPEG file and scales it to the format's size without regard to its proportions, turned as its EXIF data say, over black
 * where it is transparent: values 0 to 255, [channels, height, width]. Throws DATASET_INVALID that names the file.
 */
export async function pixelsOf(bytes: Buffer, name: string, format: ImagesFormat): Promise<Uint8Array> {
  const { width, height, channels } = format;
  // The decoder knows many formats more, which are more ways to be wrong.
  if (!isPng(bytes) && !isJpeg(bytes)) throw datasetError(`${name} is neither PNG nor JPEG by its first bytes`);
  try {
    const pixels = await sharp(bytes, { limitInputPixels: pixelsMax, failOn: "error" })
      .autoOrient()
      .flatten({ background: "black" })
      .resize(width, height, { fit: "fill" })
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer();
    assert(pixels.length === width * height * channels, "decoded images have the channels that were asked for");
    return planesOf(pixels, channels, width * height);
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
