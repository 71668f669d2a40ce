import {
  carriedOver,
  type Direction,
  type DirectionSlopes,
  linear,
  parts,
  rest,
  sigmoidSlope,
  takenOver,
  tanhSlope,
  weightSlope,
} from "./recurrent-direction.ts";

/**
 * Through one direction of a GRU (Cho et al. 2014, gates z r n as in ONNX): h = (1 − z) · n + z · h′, where n = tanh(x·W + (r · h′)·R), or
 * tanh(x·W + r · (h′·R)) with linear_before_reset, as in PyTorch; h′ is the output of the step before.
 */
export function gruSlopes(direction: Direction): DirectionSlopes {
  const { graph, x, w, b, dy, isLinearFirst } = direction;
  const before = takenOver(direction);
  const hidden = Number(before.shape[2]);
  const third = graph.sizes([2 * hidden, hidden]);
  const [gatesR, stateR] = graph.split(direction.r, third, 0);
  const [gatesB, stateB] = b === undefined ? [] : graph.split(b[1], third, 0);
  const [gatesX, stateX] = graph.split(linear(graph, x, w, b?.[0]), third, -1);
  const [z, r] = parts(graph, graph.sigmoid(graph.add(gatesX, linear(graph, before, gatesR, gatesB))), 2);
  const reset = graph.mul(r, before);
  const product = linear(graph, isLinearFirst ? before : reset, stateR, stateB);
  const n = graph.tanh(graph.add(stateX, isLinearFirst ? graph.mul(r, product) : product));
  const ofZ = graph.mul(graph.sub(before, n), sigmoidSlope(graph, z));
  const ofN = graph.mul(rest(graph, z), tanhSlope(graph, n));
  const ofR = graph.mul(isLinearFirst ? product : before, sigmoidSlope(graph, r));
  const back = carriedOver(direction, "back", [direction.dh], (inner, at, [handed]) => {
    const dh = inner.add(at(dy), handed);
    const dn = inner.mul(dh, at(ofN));
    const reached = isLinearFirst ? dn : inner.matMul(dn, stateR);
    const gates = inner.concat([inner.mul(dh, at(ofZ)), inner.mul(reached, at(ofR))], -1);
    const through = inner.mul(reached, at(r));
    const ofState = isLinearFirst ? inner.matMul(through, stateR) : through;
    const kept = inner.mul(dh, at(z));
    return { carried: [inner.add(kept, inner.add(inner.matMul(gates, gatesR), ofState))], scanned: [gates, dn] };
  });
  const [gates, dn] = back.scanned;
  const ofProduct = isLinearFirst ? graph.mul(dn, r) : dn;
  const slopes = graph.concat([gates, dn], -1);
  const total = graph.reduceSum(gates, [0, 1]);
  const parted = [total, graph.reduceSum(dn, [0, 1]), total, graph.reduceSum(ofProduct, [0, 1])];
  return {
    x: graph.matMul(slopes, w),
    w: weightSlope(graph, slopes, x),
    r: graph.concat(
      [weightSlope(graph, gates, before), weightSlope(graph, ofProduct, isLinearFirst ? before : reset)],
      0,
    ),
    b: graph.concat(parted, 0),
    h: back.carried[0],
  };
}
