import { specError } from "../spec-error.ts";
import { type BuiltLayer, inTurn, type LayerKind, type Place, placeWithin } from "./layer-kind.ts";

/** What layers give, added to their input (He et al. 2016), or to what other layers make of it. `Layer` is any kind of layer. */
export interface Residual<Layer> {
  readonly kind: "residual";
  readonly layers: readonly Layer[];
  /** From the input to the shape that the layers give; the input itself where it is empty. */
  readonly shortcut?: readonly Layer[] | undefined;
}

/** `list` builds a list of layers. */
export function residualOf<Layer>(
  list: (layers: readonly Layer[], input: readonly number[], place: Place) => BuiltLayer,
): LayerKind<Residual<Layer>> {
  return ({ layers, shortcut = [] }, input, place) => {
    const main = list(layers, input, placeWithin(place, "layers"));
    const beside = shortcut.length > 0 ? list(shortcut, input, placeWithin(place, "shortcut")) : inTurn([], input);
    const [seen, needed] = [beside, main].map(({ outputShape }) => `[${outputShape.join(", ")}]`);
    if (seen !== needed) {
      throw specError(
        `${place.field}.shortcut`,
        `one that gives rows of the shape ${seen}`,
        `${needed}, as the layers give`,
      );
    }
    return {
      ...inTurn([main, beside], input),
      outputShape: main.outputShape,
      append: (into, x) => into.graph.add(main.append(into, x), beside.append(into, x)),
    };
  };
}
