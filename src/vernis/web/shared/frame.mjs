// @ts-check
// Where in a picture a label is, or would be: a frame over the picture, at whatever size it is shown.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {{label: string, box: number[], source: string}} LabelPlace x, y, width, height in pixels of the upright picture */

/** A frame that lies over a picture which is shown whole (`object-fit: contain`); null where the
 * size of the picture is not known.
 * @param {LabelPlace | null | undefined} place @param {{width: number, height: number}} size of the picture */
export function frameOver(place, size) {
  if (!place || !size.width || !size.height) return null;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "place-frame");
  svg.setAttribute("viewBox", "0 0 " + size.width + " " + size.height);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "where " + place.label + " is");
  const [x, y, width, height] = place.box;
  for (const kind of ["under", "over"]) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", kind);
    for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, String(value));
    svg.append(rect);
  }
  return svg;
}
