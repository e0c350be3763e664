// @ts-check
// Draws a map by WebGL2: every picture a dot, and near in as many small pictures as fit without
// covering one another, from sheets that are loaded by need. A worker of its own, so that the page
// stays free while it draws; it imports nothing and is asked by map-drawing.mjs.

/** @typedef {import("./map-drawing.mjs").Wish} Wish */

const MOST_SHEETS = 12; // textures that are kept

const DOTS = `#version 300 es
uniform vec4 place; // scale, left, top, ratio
uniform vec2 stage;
uniform float size;
in vec2 at;
in vec4 color;
out vec4 shade;
void main() {
  vec2 pixel = (at * place.x + place.yz) * place.w;
  gl_Position = vec4(pixel / stage * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
  gl_PointSize = size * place.w * (color.a < 0.5 ? 0.7 : 1.0);
  shade = color;
}`;
const ROUND = `#version 300 es
precision mediump float;
in vec4 shade;
out vec4 color;
void main() {
  float away = length(gl_PointCoord - 0.5);
  if (away > 0.5) discard;
  color = vec4(shade.rgb, 1.0) * (shade.a < 0.5 ? 0.35 : 1.0);
}`;
const PICTURES = `#version 300 es
uniform vec4 place;
uniform vec2 stage;
uniform float size;
in vec2 at;
in vec4 color;
in vec2 tile;
out vec2 corner;
out vec4 shade;
void main() {
  vec2 pixel = (at * place.x + place.yz) * place.w;
  gl_Position = vec4(pixel / stage * vec2(2.0, -2.0) + vec2(-1.0, 1.0), 0.0, 1.0);
  gl_PointSize = size * place.w;
  corner = tile;
  shade = color;
}`;
const FRAMED = `#version 300 es
precision highp float;
uniform sampler2D sheet;
uniform float columns;
uniform vec2 reach; // of the sheet's own pixels: a cell, and half a pixel
in vec2 corner;
in vec4 shade;
out vec4 color;
void main() {
  vec2 from = gl_PointCoord;
  float edge = min(min(from.x, from.y), min(1.0 - from.x, 1.0 - from.y));
  if (edge < 0.06) { color = vec4(shade.rgb, 1.0); return; }
  color = texture(sheet, (corner + clamp(from, 0.02, 0.98)) * reach);
}`;

/** @param {WebGL2RenderingContext} gl @param {string} vertex @param {string} fragment */
function programOf(gl, vertex, fragment) {
  const program = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [kind, text] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error("the map cannot be drawn here: " + gl.getProgramInfoLog(program));
  return program;
}

class MapPainter {
  /** @param {OffscreenCanvas} stage @param {{columns: number, edge: number}} sheet @param {string} name of the map */
  constructor(stage, sheet, name) {
    const gl = stage.getContext("webgl2", { antialias: false, alpha: false, powerPreference: "low-power" });
    if (!gl) throw new Error(""); // there is no WebGL2
    this.gl = gl;
    this.stage = stage;
    this.sheet = sheet;
    this.name = name;
    this.dots = programOf(gl, DOTS, ROUND);
    this.pictures = programOf(gl, PICTURES, FRAMED);
    this.buffers = { at: gl.createBuffer(), color: gl.createBuffer(), nearAt: gl.createBuffer(), nearColor: gl.createBuffer(), tile: gl.createBuffer() };
    this.count = 0;
    this.page = [0, 0, 0];
    /** @type {Map<number, {texture: WebGLTexture | null, size: number[], whole: boolean}>} the latest used last */
    this.sheets = new Map();
    /** @type {(Wish & {kind: "draw"}) | null} what is drawn */
    this.wish = null;
    this.frame = 0;
  }

  /** Draw what is wished by then in the next frame: who wishes may be faster.
   * @param {(Wish & {kind: "draw"}) | null} wish */
  drawSoon(wish) {
    this.wish = wish;
    if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  /** @param {Float32Array} places x and y of each point */
  place(places) {
    const { gl } = this;
    this.places = places;
    this.count = places.length / 2;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.at);
    gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW);
  }

  /** @param {Uint8Array} colors red, green, blue, and 255 or 0 for one that is left out
   * @param {number[]} page the colour behind, 0 to 1 */
  paint(colors, page) {
    const { gl } = this;
    this.colors = colors;
    this.page = page;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.color);
    gl.bufferData(gl.ARRAY_BUFFER, colors, gl.DYNAMIC_DRAW);
  }

  draw() {
    if (!this.wish) return;
    const { gl, stage } = this;
    const { view, size, near, side } = this.wish;
    const width = Math.round(view.width * view.ratio), height = Math.round(view.height * view.ratio);
    if (stage.width !== width || stage.height !== height) { stage.width = width; stage.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(this.page[0], this.page[1], this.page[2], 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    this.use(this.dots, view, size, { at: [this.buffers.at, 2, gl.FLOAT], color: [this.buffers.color, 4, gl.UNSIGNED_BYTE] });
    gl.drawArrays(gl.POINTS, 0, this.count);
    if (near.length) this.drawPictures(view, near, side);
  }

  /** @param {any} view @param {number[]} near @param {number} side */
  drawPictures(view, near, side) {
    const { gl, sheet } = this;
    const size = sheet.columns ** 2;
    /** @type {Map<number, number[]>} */
    const piles = new Map();
    for (const point of near) {
      const number = Math.floor(point / size);
      const pile = piles.get(number);
      if (pile) pile.push(point); else piles.set(number, [point]);
    }
    for (const [number, pile] of piles) {
      const known = this.sheetOf(number);
      if (!known || !known.texture) continue;
      const at = new Float32Array(2 * pile.length), tiles = new Float32Array(2 * pile.length), colors = new Uint8Array(4 * pile.length);
      pile.forEach((point, place) => {
        at.set(/** @type {Float32Array} */ (this.places).subarray(2 * point, 2 * point + 2), 2 * place);
        colors.set(/** @type {Uint8Array} */ (this.colors).subarray(4 * point, 4 * point + 4), 4 * place);
        tiles[2 * place] = (point % size) % sheet.columns;
        tiles[2 * place + 1] = Math.floor((point % size) / sheet.columns);
      });
      for (const [buffer, values] of /** @type {[WebGLBuffer | null, BufferSource][]} */ ([[this.buffers.nearAt, at], [this.buffers.nearColor, colors], [this.buffers.tile, tiles]])) {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.bufferData(gl.ARRAY_BUFFER, values, gl.STREAM_DRAW);
      }
      gl.bindTexture(gl.TEXTURE_2D, known.texture);
      this.use(this.pictures, view, side, { at: [this.buffers.nearAt, 2, gl.FLOAT], color: [this.buffers.nearColor, 4, gl.UNSIGNED_BYTE], tile: [this.buffers.tile, 2, gl.FLOAT] });
      gl.uniform2f(gl.getUniformLocation(this.pictures, "reach"), sheet.edge / known.size[0], sheet.edge / known.size[1]);
      gl.drawArrays(gl.POINTS, 0, pile.length);
    }
  }

  /** @param {WebGLProgram} program @param {any} view @param {number} size @param {Record<string, [WebGLBuffer | null, number, number]>} attributes */
  use(program, view, size, attributes) {
    const { gl } = this;
    gl.useProgram(program);
    for (const [name, [buffer, parts, kind]] of Object.entries(attributes)) {
      const slot = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(slot);
      gl.vertexAttribPointer(slot, parts, kind, kind === gl.UNSIGNED_BYTE, 0, 0);
    }
    gl.uniform4f(gl.getUniformLocation(program, "place"), view.scale, view.left, view.top, view.ratio);
    gl.uniform2f(gl.getUniformLocation(program, "stage"), this.stage.width, this.stage.height);
    gl.uniform1f(gl.getUniformLocation(program, "size"), size);
  }

  /** @param {number} number */
  sheetOf(number) {
    const known = this.sheets.get(number);
    if (known) {
      this.sheets.delete(number);
      this.sheets.set(number, known);
      return known;
    }
    const fresh = { texture: /** @type {WebGLTexture | null} */ (null), size: [1, 1], whole: true };
    this.sheets.set(number, fresh);
    this.read(number, fresh).catch(() => this.sheets.delete(number));
    while (this.sheets.size > MOST_SHEETS) {
      const [oldest, gone] = /** @type {[number, {texture: WebGLTexture | null}]} */ (this.sheets.entries().next().value);
      if (gone.texture) this.gl.deleteTexture(gone.texture);
      this.sheets.delete(oldest);
    }
    return fresh;
  }

  /** Read those sheets again that lacked pictures: they may have been drawn since. */
  renew() {
    for (const [number, known] of this.sheets) {
      if (!known.whole) { known.whole = true; this.read(number, known).catch(() => null); }
    }
  }

  /** @param {number} number @param {{texture: WebGLTexture | null, size: number[], whole: boolean}} fresh */
  async read(number, fresh) {
    const { gl } = this;
    const answer = await fetch("/api/map/sheets/" + number + "?name=" + encodeURIComponent(this.name), { credentials: "same-origin" });
    if (!answer.ok) throw new Error("the sheet is not there");
    const picture = await createImageBitmap(await answer.blob());
    if (this.sheets.get(number) !== fresh) { picture.close(); return; }
    fresh.whole = !(answer.headers.get("cache-control") || "").includes("no-store");
    if (fresh.texture) gl.deleteTexture(fresh.texture);
    fresh.texture = gl.createTexture();
    fresh.size = [picture.width, picture.height];
    gl.bindTexture(gl.TEXTURE_2D, fresh.texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    picture.close();
    this.drawSoon(this.wish);
  }
}

/** @type {MapPainter | null} */
let painter = null;

addEventListener("message", (/** @type {MessageEvent<Wish>} */ { data }) => {
  const tell = (/** @type {string} */ kind, /** @type {string} */ told) => postMessage({ kind, told });
  if (data.kind === "open") {
    try {
      painter = new MapPainter(data.stage, data.sheet, data.name);
      data.stage.addEventListener("webglcontextlost", (event) => { event.preventDefault(); tell("lost", ""); });
      tell("ready", "");
    } catch (error) { tell("failed", error instanceof Error ? error.message : String(error)); }
  } else if (!painter) return;
  else if (data.kind === "place") painter.place(data.places);
  else if (data.kind === "paint") painter.paint(data.colors, data.page);
  else if (data.kind === "draw") painter.drawSoon(data);
  else painter.renew();
});
