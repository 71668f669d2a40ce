import type { CsvFormat__Output } from "../../../lib/gen/amaas/trainer/v1/CsvFormat.ts";
import type { DataSpec__Output } from "../../../lib/gen/amaas/trainer/v1/DataSpec.ts";
import type {
  _amaas_trainer_v1_ImagesFormat_Fit__Output,
  ImagesFormat__Output,
} from "../../../lib/gen/amaas/trainer/v1/ImagesFormat.ts";
import { type FileFormat, type ImageScaling, imageSideMax, tokenizers } from "../datasets/formats/file-format.ts";
import { specError } from "../graph/spec-error.ts";

/** How a file is read; undefined where the file itself has to tell. Throws SPEC_INVALID for a field out of its range. */
export function fileFormatOf(data: DataSpec__Output | null | undefined): FileFormat | undefined {
  switch (data?.format) {
    case "csv":
      return csvFormatOf(data.csv!);
    case "parquet":
    case "ndjson":
      return { kind: data.format };
    case "numpy":
      return { kind: "numpy", features: data.numpy!.features || "x", targets: data.numpy!.targets || "y" };
    case "images":
      return imagesFormatOf(data.images!);
    case "text": {
      const tokenizer = data.text!.tokenizer || "bytes";
      const known = tokenizers.find((each) => each === tokenizer);
      if (known !== undefined) return { kind: "text", tokenizer: known };
      throw specError("data.text.tokenizer", JSON.stringify(tokenizer), `one of ${tokenizers.join(", ")}`);
    }
    case undefined:
      return undefined;
  }
}

function csvFormatOf({ header, delimiter, missingText }: CsvFormat__Output): FileFormat {
  // What records and values are made of cannot stand between them.
  if (delimiter !== "" && !/^[\t\x20-\x7e]$/.test(delimiter)) throw delimiterError(delimiter);
  if (/^["\d.+-]$/.test(delimiter)) throw delimiterError(delimiter);
  return { kind: "csv", header, delimiter: delimiter || ",", missingText };
}

function delimiterError(delimiter: string): Error {
  return specError(
    "data.csv.delimiter",
    JSON.stringify(delimiter),
    "one ASCII character that is no part of a number or a quote",
  );
}

function imagesFormatOf(images: ImagesFormat__Output): FileFormat {
  const { channels } = images;
  if (channels !== 0 && channels !== 1 && channels !== 3) {
    throw specError("data.images.channels", channels, "1 for grey, or 3 for red, green and blue");
  }
  return { kind: "images", channels: channels === 1 ? 1 : 3, scaled: scalingOf(images) };
}

function scalingOf({ width, height, fit }: ImagesFormat__Output): ImageScaling | undefined {
  if (width === 0 && height === 0) {
    if (fit !== "FIT_UNSPECIFIED") throw specError("data.images.fit", fit, "none without a width and a height");
    return undefined;
  }
  for (const [field, size] of Object.entries({ width, height })) {
    if (size < 1 || size > imageSideMax) {
      throw specError(
        `data.images.${field}`,
        size,
        `a whole number in [1, ${imageSideMax}], or no width and no height`,
      );
    }
  }
  return { width, height, fit: fitOf[fit] };
}

const fitOf = {
  FIT_UNSPECIFIED: "fill",
  FIT_FILL: "fill",
  FIT_COVER: "cover",
  FIT_CONTAIN: "contain",
} as const satisfies Record<_amaas_trainer_v1_ImagesFormat_Fit__Output, ImageScaling["fit"]>;
