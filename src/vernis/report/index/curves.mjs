// Threshold curves of the class that is chosen.

// The path of a series inside a frame of left, top, width and height, both axes from 0 to 1.
export function pathOf([left, top, width, height], x, y) {
  const points = x.map((value, i) => [value, y[i]]).filter(([, value]) => value !== null);
  const places = points.map(([a, b]) => (left + width * a).toFixed(1) + " " + (top + height * (1 - b)).toFixed(1));
  return places.length ? "M" + places.join("L") : "";
}

export function makeCurves(select, models) {
  const curves = models[Number(select.dataset.curve)];
  const svg = select.closest("figure").querySelector("svg");
  const frame = svg.dataset.frame.split(" ").map(Number);
  select.addEventListener("change", () => {
    const curve = curves[Number(select.value)];
    for (const series of svg.querySelectorAll("[data-series]")) {
      series.querySelector("path").setAttribute("d", pathOf(frame, curve.thresholds, curve[series.dataset.series]));
    }
    for (const marker of svg.querySelectorAll("[data-marker]")) {
      marker.setAttribute("visibility", curve.chosen === null ? "hidden" : "visible");
      const moved = frame[2] * ((curve.chosen || 0) - Number(marker.dataset.marker));
      marker.setAttribute("transform", "translate(" + moved.toFixed(1) + " 0)");
    }
    svg.setAttribute("aria-label", "Precision, recall and F1 of " + curve.label + " over the threshold");
  });
}
