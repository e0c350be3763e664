// @ts-check
// The drawing of a map, which a worker makes (map-gl.mjs): the page hands over its canvas and says
// what is to be seen on it.

/** @typedef {{scale: number, left: number, top: number, width: number, height: number, ratio: number}} View */
/**
 * What the worker is asked for.
 * @typedef {{kind: "open", stage: OffscreenCanvas, sheet: {columns: number, edge: number}, name: string}
 *   | {kind: "place", places: Float32Array}
 *   | {kind: "paint", colors: Uint8Array, page: number[]}
 *   | {kind: "draw", view: View, size: number, near: number[], side: number}
 *   | {kind: "renew"}} Wish
 */

const WORKER = "/web/app/map-gl.mjs";
const NONE = "This browser draws no WebGL2, which the map needs. The page that vernis map writes shows it without.";

export class MapDrawing {
  /** @param {HTMLCanvasElement} stage @param {{columns: number, edge: number}} sheet @param {string} name of the map
   * @param {() => void} lost called when the browser takes its drawing away */
  constructor(stage, sheet, name, lost) {
    if (!stage.transferControlToOffscreen) throw new Error(NONE);
    this.worker = new Worker(WORKER, { type: "module" });
    /** @type {Promise<void>} rejects where nothing can be drawn */
    this.ready = new Promise((resolve, reject) => {
      this.worker.addEventListener("error", () => reject(new Error("The map cannot be drawn here.")));
      this.worker.addEventListener("message", ({ data }) => {
        if (data.kind === "ready") resolve();
        else if (data.kind === "failed") reject(new Error(data.told || NONE));
        else lost();
      });
    });
    const drawn = stage.transferControlToOffscreen();
    this.ask({ kind: "open", stage: drawn, sheet, name }, [drawn]);
  }

  /** @param {Wish} wish @param {Transferable[]} [handed] what the page has no more */
  ask(wish, handed = []) { this.worker.postMessage(wish, handed); }

  /** @param {Float32Array} places x and y of each point */
  place(places) { this.ask({ kind: "place", places }, [places.buffer]); }

  /** @param {Uint8Array} colors red, green, blue, and 255 or 0 for one that is left out
   * @param {number[]} page the colour behind, 0 to 1 */
  paint(colors, page) { this.ask({ kind: "paint", colors, page }, [colors.buffer]); }

  /** @param {View} view @param {number} size of a dot, pixels
   * @param {number[]} near points that are drawn as pictures @param {number} side of these, pixels */
  draw(view, size, near, side) { this.ask({ kind: "draw", view: { ...view }, size, near, side }); }

  /** Read those sheets again that lacked pictures: they may have been drawn since. */
  renew() { this.ask({ kind: "renew" }); }

  close() { this.worker.terminate(); }
}
