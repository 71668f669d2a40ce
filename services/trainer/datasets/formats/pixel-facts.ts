import type { FileFormat } from "./file-format.ts";

/** What an ONNX file says of the pixels that it takes, by ONNX's own names for it; undefined where the data are no images. */
export function pixelMetadata(format: FileFormat | undefined): Readonly<Record<string, string>> | undefined {
  if (format?.kind !== "images") return undefined;
  return {
    "Image.BitmapPixelFormat": format.channels === 1 ? "Gray8" : "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
  };
}

/** What was done to images, in words, which whoever asks the model has to do too. */
export function pixelText(format: FileFormat | undefined): string | undefined {
  if (format?.kind !== "images") return undefined;
  const { channels, scaled } = format;
  const size = scaled === undefined ? "not scaled" : `scaled to ${scaled.width} × ${scaled.height}, ${scaled.fit}`;
  return `${size}; ${channels === 1 ? "grey" : "red, green, blue"}, values 0 to 255, [channels, height, width]`;
}
