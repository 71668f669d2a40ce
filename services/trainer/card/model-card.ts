import type { ConfusionMatrix } from "../metrics/confusion-matrix.ts";
import { type EpochLosses, lossChart } from "./loss-chart.ts";
import { numberText, plain, section, table } from "./markdown.ts";

/** What a model card tells. */
export interface CardMaterial {
  /** The id of the model. */
  readonly model: string;
  /** "jobs/{job}". */
  readonly job: string;
  /** The version that it began with, "models/{model}/versions/{number}". */
  readonly parentVersion?: string | undefined;
  /** What the version has as its metrics. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly epochs: readonly EpochLosses[];
  readonly confusion?: ConfusionMatrix | undefined;
  /** The names of classes, by index. */
  readonly classNames?: readonly string[] | undefined;
  /** What is known of the data and of its split, each by its name. */
  readonly data: Readonly<Record<string, string>>;
  readonly columns: readonly CardColumn[];
  readonly split: Readonly<Record<string, string>>;
  readonly hyperParameters: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
}

/** A column of the data. */
export interface CardColumn {
  readonly name: string;
  readonly role: string;
  /** How its values have become numbers. */
  readonly encoding: string;
}

/** Columns that are listed, and settings, each at most. */
const rowsMax = 200;

/** Characters of a card that the registry takes, but for some. */
const lengthMax = 262_000;

/** What one should know of a trained version, as Markdown with an SVG image in it, of less than 262,144 characters. */
export function modelCard(material: CardMaterial): string {
  const { model, job, parentVersion, metrics, epochs, confusion, classNames, columns } = material;
  const origin = parentVersion === undefined ? "" : `, from ${plain(parentVersion)} on`;
  const numbers = Object.entries(metrics).map(([name, value]) => [name, numberText(value)]);
  const parts = [
    `# ${plain(model)}`,
    `Trained by ${plain(job)}${origin}.`,
    ...section("Metrics", table(["metric", "value"], numbers)),
    ...section("Losses", lossChart(epochs)),
    ...section("Confusion matrix", confusion && confusionTable(confusion, classNames)),
    ...section("Data", settings(material.data), columnTable(columns)),
    ...section("Split", settings(material.split)),
    ...section("Hyper-parameters", settings(material.hyperParameters)),
    ...section("Environment", settings(material.environment)),
  ];
  return `${bounded(parts).join("\n\n")}\n`;
}

/** Without what has no room. */
function bounded(parts: readonly string[]): readonly string[] {
  let length = 0;
  return parts.map((part) => {
    const isLeftOut = length + part.length > lengthMax;
    const kept = isLeftOut ? "Left out: too long." : part;
    length += kept.length + 2;
    return kept;
  });
}

function settings(values: Readonly<Record<string, string>>): string | undefined {
  return table(["what", "value"], Object.entries(values).slice(0, rowsMax));
}

function columnTable(columns: readonly CardColumn[]): string | undefined {
  const rows = columns.slice(0, rowsMax).map(({ name, role, encoding }) => [name, role, encoding]);
  const others = columns.length - rows.length;
  return table(["column", "role", "as"], others > 0 ? [...rows, [`and ${others} others`, "", ""]] : rows);
}

/** Rows are the classes of the targets, columns those that were given. */
function confusionTable(
  { classCount, counts }: ConfusionMatrix,
  classNames: readonly string[] = [],
): string | undefined {
  const names = Array.from({ length: classCount }, (_, index) => (classNames[index] ?? String(index)).slice(0, 40));
  const rows = names.map((name, index) => [
    name,
    ...counts.slice(index * classCount, (index + 1) * classCount).map(String),
  ]);
  return table(["target \\ given", ...names], rows);
}
