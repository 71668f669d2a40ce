/** Attributes of an element; numbers are written with at most two decimals. */
export type SvgAttributes = Readonly<Record<string, string | number>>;

/** An element of an SVG image: what is in it are elements, as this makes them, or a text. */
export function svgElement(
  name: string,
  attributes: SvgAttributes,
  ...inside: readonly (SvgText | SvgElement)[]
): SvgElement {
  const set = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapedXml(numberText(value))}"`);
  const content = inside.map((part) => (typeof part === "string" ? escapedXml(part) : part.svg)).join("");
  return { svg: content === "" ? `<${name}${set.join("")}/>` : `<${name}${set.join("")}>${content}</${name}>` };
}

/** An element, written. */
export interface SvgElement {
  readonly svg: string;
}
type SvgText = string;

/** A text as it stands in XML and HTML. */
export function escapedXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function numberText(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : value;
}
