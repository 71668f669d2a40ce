import {
  carriedOver,
  type Direction,
  type DirectionSlopes,
  linear,
  parts,
  sigmoidSlope,
  takenOver,
  tanhSlope,
  weightSlope,
} from "./recurrent-direction.ts";

/**
 * Through one direction of an LSTM (Hochreiter and Schmidhuber 1997, gates i o f g as in ONNX): c = f · c′ + i · g, h = o · tanh(c), where c′ is
 * the cell of the step before.
 */
export function lstmSlopes(direction: Direction): DirectionSlopes {
  const { graph, x, w, r, b, dy } = direction;
  const before = takenOver(direction);
  const sums = graph.add(linear(graph, x, w, b?.[0]), linear(graph, before, r, b?.[1]));
  const [i, o, f, g] = parts(graph, sums, 4).map((part, gate) => (gate < 3 ? graph.sigmoid(part) : graph.tanh(part)));
  const entered = graph.mul(i, g);
  const {
    scanned: [cells],
  } = carriedOver(direction, "onwards", [direction.c], (inner, at, [cell]) => ({
    carried: [inner.add(inner.mul(at(f), cell), at(entered))],
    scanned: [cell],
  }));
  const shown = graph.tanh(graph.add(graph.mul(f, cells), entered));
  const ofCell = graph.mul(o, tanhSlope(graph, shown));
  const [ofI, ofO, ofF, ofG] = [
    graph.mul(g, sigmoidSlope(graph, i)),
    graph.mul(shown, sigmoidSlope(graph, o)),
    graph.mul(cells, sigmoidSlope(graph, f)),
    graph.mul(i, tanhSlope(graph, g)),
  ];
  const back = carriedOver(direction, "back", [direction.dh, direction.dc], (inner, at, [handedH, handedC]) => {
    const dh = inner.add(at(dy), handedH);
    const dc = inner.add(handedC, inner.mul(dh, at(ofCell)));
    const slopes = [inner.mul(dc, at(ofI)), inner.mul(dh, at(ofO)), inner.mul(dc, at(ofF)), inner.mul(dc, at(ofG))];
    const slope = inner.concat(slopes, -1);
    return { carried: [inner.matMul(slope, r), inner.mul(dc, at(f))], scanned: [slope] };
  });
  const [slopes] = back.scanned;
  const bias = graph.reduceSum(slopes, [0, 1]);
  return {
    x: graph.matMul(slopes, w),
    w: weightSlope(graph, slopes, x),
    r: weightSlope(graph, slopes, before),
    b: graph.concat([bias, bias], 0),
    h: back.carried[0],
    c: back.carried[1],
  };
}
