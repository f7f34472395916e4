/**
 * A picture, lit where a word attended to it and dark elsewhere; maps cover the part that the model saw.
 */

import { element, setAttributes } from "./dom.js";

/** @typedef {import("./result.js").Grid} Grid */

const SHADE = 0.74; // opacity where the weight is 0
const PICTURE_SIDE = 560; // CSS pixels of the longer side
const THUMBNAIL_SIDE = 132;

export class Picture {
  /**
   * @param {HTMLImageElement} image
   * @param {Grid} grid
   * @param {(column: number | null, isClick: boolean) => void} onFocus
   */
  constructor(image, grid, onFocus) {
    this.#image = image;
    this.#grid = grid;
    this.#onFocus = onFocus;
    this.element = element("canvas", "picture");
    setAttributes(this.element, { tabindex: 0, role: "img", "aria-label": "The picture" });
    this.element.addEventListener("pointermove", (event) => onFocus(this.#regionAt(event), false));
    this.element.addEventListener("pointerleave", () => onFocus(null, false));
    this.element.addEventListener("click", (event) => onFocus(this.#regionAt(event), true));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("blur", () => onFocus(null, false));
  }

  /** @type {HTMLImageElement} */
  #image;
  /** @type {Grid} */
  #grid;
  /** @type {(column: number | null, isClick: boolean) => void} */
  #onFocus;
  #region = 0;

  /**
   * Draws the picture, and a row of weights over it; null draws none.
   * @param {Float32Array | null} weights of the whole source axis
   * @param {number | null} column the region to mark, on the source axis
   */
  draw(weights, column) {
    drawOver(this.element, this.#image, this.#grid, weights, PICTURE_SIDE);
    const pen = this.element.getContext("2d");
    if (!pen || column === null || column < this.#grid.first) return;
    const { x, y, width, height } = this.#rectangle(column - this.#grid.first);
    const scale = this.element.width / this.#grid.width;
    pen.strokeStyle = "#ffffff";
    pen.lineWidth = 2 * (devicePixelRatio || 1);
    pen.strokeRect(x * scale, y * scale, width * scale, height * scale);
  }

  /** @param {number} region */
  #rectangle(region) {
    const { box, rows, columns } = this.#grid;
    const [width, height] = [(box.right - box.left) / columns, (box.bottom - box.top) / rows];
    return {
      x: box.left + (region % columns) * width,
      y: box.top + Math.floor(region / columns) * height,
      width,
      height,
    };
  }

  /** @param {PointerEvent | MouseEvent} event */
  #regionAt(event) {
    const { box, rows, columns, width, first } = this.#grid;
    const scale = width / this.element.clientWidth;
    const column = Math.floor(((event.offsetX * scale - box.left) / (box.right - box.left)) * columns);
    const row = Math.floor(((event.offsetY * scale - box.top) / (box.bottom - box.top)) * rows);
    const isInside = column >= 0 && column < columns && row >= 0 && row < rows;
    return isInside ? first + row * columns + column : null;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { rows, columns, first } = this.#grid;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
    if (event.key === "Enter" || event.key === " ") this.#onFocus(first + this.#region, true);
    else if (event.key in steps) {
      this.#region = Math.min(Math.max(this.#region + steps[event.key], 0), rows * columns - 1);
      this.#onFocus(first + this.#region, false);
    } else return;
    event.preventDefault();
  }
}

/**
 * Thumbnails of the picture, one for each word with its map over it.
 * @param {HTMLImageElement} image
 * @param {Grid} grid
 * @param {import("./result.js").Unit[]} units
 * @param {Float32Array} values [units, source axis]
 * @param {(row: number | null, isClick: boolean) => void} onFocus
 */
export function filmstrip(image, grid, units, values, onFocus) {
  const strip = element("ol", "filmstrip");
  strip.setAttribute("aria-label", "The picture, word by word");
  const length = values.length / units.length;
  units.forEach((unit, row) => {
    if (unit.special) return;
    const canvas = element("canvas");
    drawOver(canvas, image, grid, values.subarray(row * length, (row + 1) * length), THUMBNAIL_SIDE);
    const button = element("button", "", canvas, element("span", "", unit.text));
    button.type = "button";
    button.addEventListener("pointerenter", () => onFocus(row, false));
    button.addEventListener("pointerleave", () => onFocus(null, false));
    button.addEventListener("click", () => onFocus(row, true));
    strip.append(element("li", "", button));
  });
  return strip;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} image
 * @param {Grid} grid
 * @param {Float32Array | null} weights
 * @param {number} largest side, in CSS pixels
 */
function drawOver(canvas, image, grid, weights, largest) {
  const ratio = devicePixelRatio || 1;
  const scale = largest / Math.max(grid.width, grid.height);
  canvas.width = Math.round(grid.width * scale * ratio);
  canvas.height = Math.round(grid.height * scale * ratio);
  canvas.style.aspectRatio = `${grid.width} / ${grid.height}`;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  if (!weights) return;
  pen.setTransform(canvas.width / grid.width, 0, 0, canvas.height / grid.height, 0, 0);
  const { left, top, right, bottom } = grid.box;
  pen.imageSmoothingEnabled = true;
  pen.drawImage(shadeOf(weights, grid), left, top, right - left, bottom - top);
  pen.fillStyle = `rgb(0 0 0 / ${SHADE})`; // what the model did not see
  pen.fillRect(0, 0, grid.width, Math.max(top, 0));
  pen.fillRect(0, bottom, grid.width, Math.max(grid.height - bottom, 0));
  pen.fillRect(0, Math.max(top, 0), Math.max(left, 0), bottom - Math.max(top, 0));
  pen.fillRect(right, Math.max(top, 0), Math.max(grid.width - right, 0), bottom - Math.max(top, 0));
  pen.setTransform(1, 0, 0, 1, 0, 0);
}

/**
 * An image of one pixel per region: transparent where the weight is largest, dark where it is 0.
 * @param {Float32Array} weights
 * @param {Grid} grid
 */
function shadeOf(weights, { rows, columns, first }) {
  const shade = element("canvas");
  shade.width = columns;
  shade.height = rows;
  const own = weights.subarray(first, first + rows * columns);
  const largest = Math.max(1e-9, ...own);
  const pixels = new ImageData(columns, rows);
  own.forEach((weight, region) => (pixels.data[4 * region + 3] = 255 * SHADE * (1 - weight / largest)));
  shade.getContext("2d")?.putImageData(pixels, 0, 0);
  return shade;
}
