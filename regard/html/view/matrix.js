/**
 * The heatmap, on a canvas: source above, output at the left. Its cells are one image of a pixel per weight, scaled.
 */

import { element, setAttributes } from "./dom.js";

/** @typedef {import("./result.js").Unit} Unit */
/** @typedef {{row: number | null, column: number | null}} Cell */

const SLANT = (50 * Math.PI) / 180;
const STEEP_SLANT = (70 * Math.PI) / 180; // of narrow columns
// Sizes in CSS pixels.
const NARROW_COLUMN = 16;
const MAX_LABEL_WIDTH = 150;
const [MIN_CELL, MAX_CELL] = [9, 42];
const [MIN_FONT_SIZE, MAX_FONT_SIZE] = [9, 13];
const MAX_CANVAS_SIDE = 8000; // device pixels; browsers have limits
const FADED_ALPHA = 0.35;

/**
 * @typedef {object} Drawing
 * @property {Float32Array} values [rows, columns]
 * @property {Unit[]} rows
 * @property {Unit[]} columns
 * @property {number} largest the weight of the strongest colour
 * @property {number} threshold smaller weights are drawn as 0
 * @property {Cell} focus
 * @property {import("./theme.js").Colours} colours
 */

/**
 * Sizes in CSS pixels.
 * @typedef {object} Layout
 * @property {number} cell
 * @property {number} left width of the row labels
 * @property {number} top height of the column labels
 * @property {number} overhang width of slanted labels beyond the last column
 * @property {number} rows
 * @property {number} columns
 * @property {string} font
 * @property {number} slant of the column labels, in radians
 * @property {number} labelStep columns from one label to the next, so that labels do not touch: 1 labels all
 */

export class Matrix {
  /** @param {(cell: Cell, isClick: boolean) => void} onFocus */
  constructor(onFocus) {
    this.canvas = element("canvas", "matrix");
    this.element = element("div", "matrix-scroll", this.canvas);
    setAttributes(this.element, { tabindex: 0, role: "group", "aria-label": "Heatmap" });
    this.canvas.setAttribute("role", "img");
    this.canvas.addEventListener("pointermove", (event) => onFocus(this.#cellAt(event), false));
    this.canvas.addEventListener("pointerleave", () => onFocus({ row: null, column: null }, false));
    this.canvas.addEventListener("click", (event) => onFocus(this.#cellAt(event), true));
  }

  /** @type {Layout} */
  #layout = { cell: 1, left: 0, top: 0, overhang: 0, rows: 0, columns: 0, font: "", slant: SLANT, labelStep: 1 };
  #width = 0;

  /** Whether the width has changed since the heatmap was drawn. */
  get isStale() {
    return this.element.clientWidth !== this.#width;
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    const pen = this.canvas.getContext("2d");
    if (!pen || !drawing.rows.length || !drawing.columns.length) return;
    const ratio = devicePixelRatio || 1;
    this.#arrange(pen, drawing, ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.#drawCells(pen, drawing);
    this.#drawLabels(pen, drawing);
    this.#drawFocus(pen, drawing.focus);
    const label = `Heatmap of ${drawing.rows.length} by ${drawing.columns.length} weights; the largest is ${drawing.largest.toFixed(2)}.`;
    this.canvas.setAttribute("aria-label", label);
  }

  /**
   * The middle of a cell, in CSS pixels from the canvas's upper left corner.
   * @param {number} row
   * @param {number} column
   */
  centreOf(row, column) {
    const { cell, left, top } = this.#layout;
    return { x: left + (column + 0.5) * cell, y: top + (row + 0.5) * cell };
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Drawing} drawing
   * @param {number} ratio
   */
  #arrange(pen, drawing, ratio) {
    this.#width = this.element.clientWidth;
    const largeLayout = this.#fit(pen, drawing, ratio, MAX_FONT_SIZE);
    const size = Math.max(MIN_FONT_SIZE, Math.floor(0.85 * largeLayout.cell));
    this.#layout = size >= MAX_FONT_SIZE ? largeLayout : this.#fit(pen, drawing, ratio, size);
    const { cell, left, top, overhang, rows, columns } = this.#layout;
    const [width, height] = [left + cell * columns + overhang, top + cell * rows + 2];
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
  }

  /**
   * The layout with labels of one font size.
   * @param {CanvasRenderingContext2D} pen
   * @param {Drawing} drawing
   * @param {number} ratio
   * @param {number} size of the font, in pixels
   * @returns {Layout}
   */
  #fit(pen, { rows, columns }, ratio, size) {
    const font = `${size}px ${getComputedStyle(this.canvas).fontFamily}`;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.font = font;
    const widthOf = (/** @type {Unit[]} */ units) =>
      Math.min(MAX_LABEL_WIDTH, Math.max(...units.map((unit) => pen.measureText(unit.text).width)));
    const left = Math.ceil(widthOf(rows)) + 10;
    const sourceWidth = widthOf(columns);
    const maxCell = Math.floor(MAX_CANVAS_SIDE / ratio / Math.max(rows.length, columns.length));
    const cellBeside = (/** @type {number} */ overhang) => {
      const fitting = Math.floor(((this.#width || 600) - left - overhang) / columns.length);
      return Math.max(1, Math.min(Math.max(fitting, MIN_CELL), MAX_CELL, maxCell));
    };
    const slant = cellBeside(Math.ceil(sourceWidth * Math.cos(SLANT))) < NARROW_COLUMN ? STEEP_SLANT : SLANT;
    const overhang = Math.ceil(sourceWidth * Math.cos(slant));
    const cell = cellBeside(overhang);
    const top = Math.ceil(sourceWidth * Math.sin(slant)) + 14;
    const labelStep = Math.ceil((1.1 * size) / (cell * Math.sin(slant)));
    return { cell, left, top, overhang, rows: rows.length, columns: columns.length, font, slant, labelStep };
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Drawing} drawing
   */
  #drawCells(pen, { values, largest, threshold, colours }) {
    const { cell, left, top, rows, columns } = this.#layout;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(imageOf(values, rows, columns, largest, threshold, colours), left, top, columns * cell, rows * cell);
    if (cell < 6) return;
    pen.fillStyle = getComputedStyle(this.canvas).backgroundColor;
    const gap = cell >= 16 ? 2 : 1;
    for (let column = 1; column < columns; column++) pen.fillRect(left + column * cell - gap / 2, top, gap, rows * cell);
    for (let row = 1; row < rows; row++) pen.fillRect(left, top + row * cell - gap / 2, columns * cell, gap);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Drawing} drawing
   */
  #drawLabels(pen, { rows, columns, focus }) {
    const { cell, left, top, font, slant, labelStep } = this.#layout;
    const style = getComputedStyle(this.canvas);
    const colourOf = (/** @type {Unit} */ unit) => (unit.special ? style.getPropertyValue("--quiet") : style.color);
    pen.font = font;
    pen.textBaseline = "middle";
    if (cell < MIN_CELL) return;
    pen.textAlign = "right";
    rows.forEach((unit, row) => {
      pen.globalAlpha = focus.row === null || focus.row === row ? 1 : FADED_ALPHA;
      pen.fillStyle = colourOf(unit);
      pen.fillText(cut(pen, unit.text), left - 6, top + (row + 0.5) * cell);
    });
    pen.textAlign = "left";
    columns.forEach((unit, column) => {
      if (column % labelStep && column !== focus.column) return;
      pen.save();
      pen.globalAlpha = focus.column === null || focus.column === column ? 1 : FADED_ALPHA;
      pen.fillStyle = colourOf(unit);
      pen.translate(left + (column + 0.5) * cell, top - 6);
      pen.rotate(-slant);
      pen.fillText(cut(pen, unit.text), 0, 0);
      pen.restore();
    });
    pen.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Cell} focus
   */
  #drawFocus(pen, { row, column }) {
    const { cell, left, top, rows, columns } = this.#layout;
    pen.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--mark");
    pen.lineWidth = 2;
    if (row !== null && column !== null) pen.strokeRect(left + column * cell, top + row * cell, cell, cell);
    else if (row !== null) pen.strokeRect(left, top + row * cell, columns * cell, cell);
    else if (column !== null) pen.strokeRect(left + column * cell, top, cell, rows * cell);
  }

  /**
   * The cell below the pointer; over a label its row or column; elsewhere none.
   * @param {PointerEvent | MouseEvent} event
   * @returns {Cell}
   */
  #cellAt(event) {
    const { cell, left, top, rows, columns } = this.#layout;
    const row = Math.floor((event.offsetY - top) / cell);
    const column = Math.floor((event.offsetX - left) / cell);
    return {
      row: row >= 0 && row < rows && column < columns ? row : null,
      column: column >= 0 && column < columns && row < rows ? column : null,
    };
  }
}

/**
 * The weights as an image of one pixel per weight.
 * @param {Float32Array} values
 * @param {number} rows
 * @param {number} columns
 * @param {number} largest
 * @param {number} threshold
 * @param {import("./theme.js").Colours} colours
 */
export function imageOf(values, rows, columns, largest, threshold, colours) {
  const canvas = element("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < values.length; at++) {
    pixels[at] = colours.pixels[colours.step(values[at] < threshold ? 0 : values[at] / largest)];
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * A label, cut to `MAX_LABEL_WIDTH`.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 */
function cut(pen, text) {
  if (pen.measureText(text).width <= MAX_LABEL_WIDTH) return text;
  let characters = Array.from(text);
  while (characters.length > 1 && pen.measureText(`${characters.join("")}…`).width > MAX_LABEL_WIDTH) {
    characters = characters.slice(0, -1);
  }
  return `${characters.join("")}…`;
}
