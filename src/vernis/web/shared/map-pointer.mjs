// Mouse, pen and fingers on the map: move, zoom, point, choose.

// ``draw`` takes a stroke (the places of a hand that draws), where ``draws`` says so of its event.
/** @param {HTMLElement} stage @param {any} canvas
 * @param {{hover: (place: any) => void, reach: (point: number) => void, hideCard: () => void, draws?: (event: PointerEvent) => boolean, draw?: (stroke: {x: number, y: number}[], ended: boolean, event: PointerEvent) => void}} how */
export function startPointer(stage, canvas, { hover, reach, hideCard, draws = () => false, draw = () => {} }) {
  let stroke = null;
  const hands = new Map();
  let span = 0, moved = 0;
  const placeOf = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    hands.set(event.pointerId, placeOf(event));
    stroke = hands.size === 1 && draws(event) ? [placeOf(event)] : null;
    span = 0;
    moved = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const now = placeOf(event);
    const before = hands.get(event.pointerId);
    if (!before) { hover(now); return; }
    hands.set(event.pointerId, now);
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (stroke) { stroke.push(now); draw(stroke, false, event); return; }
    stage.classList.add("moving");
    hideCard();
    canvas.moveBy((now.x - before.x) / hands.size, (now.y - before.y) / hands.size);
    if (hands.size === 2) {
      const [a, b] = [...hands.values()];
      const wide = Math.hypot(a.x - b.x, a.y - b.y);
      if (span) canvas.zoomAt((a.x + b.x) / 2, (a.y + b.y) / 2, wide / span);
      span = wide;
    }
  });
  function release(event) {
    const last = hands.get(event.pointerId);
    hands.delete(event.pointerId);
    span = 0;
    stage.classList.remove("moving");
    const drawn = stroke;
    stroke = null;
    if (drawn && drawn.length > 2) { draw(drawn, event.type === "pointerup", event); return; }
    if (event.type === "pointerup" && moved < 5 && last) reach(canvas.pictureAt(last.x, last.y));
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => { if (!hands.size) hover(null); });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const place = placeOf(event);
    const lines = event.deltaMode === 1 ? 18 : 1;
    canvas.zoomAt(place.x, place.y, Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / (event.ctrlKey ? 120 : 420)));
    hover(place);
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    const { x, y } = placeOf(event);
    canvas.zoomAt(x, y, 2);
  });
}
