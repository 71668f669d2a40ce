import { type Axis, axisOf, even } from "./axis.ts";
import { type SvgElement, svgElement } from "./svg.ts";

/** What an epoch came to. */
export interface EpochLosses {
  /** From 1. */
  readonly epoch: number;
  readonly trainingLoss: number;
  readonly validationLoss?: number | undefined;
}

const [width, height] = [640, 320];
/** Room around the curves. */
const [left, right, top, bottom] = [64, 16, 28, 40];
/** With more points than these, points are not marked. */
const marksMax = 32;

/** The losses over the epochs, as an SVG image of one line; undefined where no loss is finite. What is not finite is left out. */
export function lossChart(epochs: readonly EpochLosses[]): string | undefined {
  const curves = [
    { name: "training", color: "#1f77b4", points: pointsOf(epochs, ({ trainingLoss }) => trainingLoss) },
    { name: "validation", color: "#d62728", points: pointsOf(epochs, ({ validationLoss }) => validationLoss) },
  ].filter(({ points }) => points.length > 0);
  if (curves.length === 0) return undefined;
  const points = curves.flatMap((curve) => curve.points);
  const axes = {
    x: even(1, Math.max(2, ...epochs.map(({ epoch }) => epoch))),
    y: axisOf(points.map(({ loss }) => loss)),
  };
  const size = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" };
  const font = { "font-family": "sans-serif", "font-size": 12, fill: "currentColor" };
  return svgElement(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", ...size, ...font },
    svgElement("title", {}, "Loss over epochs"),
    ...axes.y.ticks.flatMap((tick) => horizontal(axes.y, tick)),
    ...axes.x.ticks.filter(Number.isInteger).flatMap((tick) => vertical(axes.x, tick)),
    ...curves.flatMap((curve, index) => drawn(axes, curve, index)),
    svgElement("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, "epoch"),
  ).svg;
}

interface Point {
  readonly epoch: number;
  readonly loss: number;
}

function pointsOf(epochs: readonly EpochLosses[], of: (epoch: EpochLosses) => number | undefined): readonly Point[] {
  return epochs
    .map((epoch) => ({ epoch: epoch.epoch, loss: of(epoch) ?? Number.NaN }))
    .filter(({ loss }) => Number.isFinite(loss));
}

interface Curve {
  readonly name: string;
  readonly color: string;
  readonly points: readonly Point[];
}

function drawn(axes: { readonly x: Axis; readonly y: Axis }, curve: Curve, index: number): readonly SvgElement[] {
  const { name, color: stroke, points } = curve;
  const places = points.map(({ epoch, loss }) => [acrossOf(axes.x, epoch), upOf(axes.y, loss)] as const);
  const line = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const marked = places.length <= marksMax ? places : [];
  const legend = { x: left + 110 * index, y: 8, width: 12, height: 12, fill: stroke };
  return [
    svgElement("polyline", { points: line, fill: "none", stroke, "stroke-width": 2 }),
    ...marked.map(([cx, cy]) => svgElement("circle", { cx, cy, r: 3, fill: stroke })),
    svgElement("rect", legend),
    svgElement("text", { x: legend.x + 18, y: 18 }, name),
  ];
}

function horizontal(axis: Axis, tick: number): readonly SvgElement[] {
  const y = upOf(axis, tick);
  const line = { x1: left, x2: width - right, y1: y, y2: y, stroke: "currentColor", "stroke-opacity": 0.2 };
  return [svgElement("line", line), svgElement("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, String(tick))];
}

function vertical(axis: Axis, tick: number): readonly SvgElement[] {
  const x = acrossOf(axis, tick);
  const line = { x1: x, x2: x, y1: height - bottom, y2: height - bottom + 5, stroke: "currentColor" };
  return [
    svgElement("line", line),
    svgElement("text", { x, y: height - bottom + 18, "text-anchor": "middle" }, String(tick)),
  ];
}

function acrossOf(axis: Axis, value: number): number {
  return left + axis.placeOf(value) * (width - left - right);
}

function upOf(axis: Axis, value: number): number {
  return height - bottom - axis.placeOf(value) * (height - top - bottom);
}
