/**
 * An answer as a file: a page that shows it like this one, and a picture.
 */

import { Problem } from "./api.js";
import { element, setAttributes } from "./view/dom.js";

const VIEW = "/assets/view/";
const IMPORT = /^import \{[^}]*\} from "\.\/([\w-]+\.js)";\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|class|const) )/gm;

/**
 * A page that shows a result and loads nothing: the one that the client's `save_html` writes.
 * @param {any} result as the API sent it
 * @param {File | null} picture the one that was captioned
 * @param {string} title
 */
export async function pageOf(result, picture, title) {
  const [template, style, script] = await Promise.all([read("page.template"), read("view.css"), joined("main.js")]);
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
  const theme = document.documentElement.dataset.theme;
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'`;
  /** @type {Record<string, string>} */
  const parts = {
    theme: theme ? ` data-theme="${theme}"` : "",
    policy,
    title: escaped(title),
    style,
    text: escaped(result.hypotheses?.[0]?.text ?? ""),
    data: JSON.stringify({ result, picture: picture && (await dataUrlOf(picture)) }).replaceAll("<", "\\u003c"),
    script: `"use strict";\n(async () => {\n${script}})();\n`,
    maps: "",
  };
  const own = template.replace(/<(style|script)>/g, `<$1 nonce="${nonce}">`);
  return new Blob([own.replace(/\{(\w+)\}/g, (_, name) => parts[name])], { type: "text/html" });
}

/**
 * A module of the view and all that it imports, each once, as one script (regard/html/script.py does the same).
 * @param {string} name
 * @param {Set<string>} known modules that are in the script already
 * @returns {Promise<string>}
 */
async function joined(name, known = new Set()) {
  known.add(name);
  const source = await read(name);
  let before = "";
  for (const [, imported] of source.matchAll(IMPORT)) if (!known.has(imported)) before += await joined(imported, known);
  return before + source.replace(IMPORT, "").replace(EXPORT, "");
}

/** @param {string} name of a file of the view */
async function read(name) {
  const answer = await fetch(VIEW + name).catch(() => null);
  if (!answer?.ok) throw new Problem("No answer", "The server cannot be reached.");
  return answer.text();
}

/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/**
 * @param {File} file
 * @returns {Promise<string>}
 */
function dataUrlOf(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Problem("Not a picture", `Your browser cannot read ${file.name}.`));
    reader.readAsDataURL(file);
  });
}

// Sizes in CSS pixels.
const MARGIN = 24;
const MIN_WIDTH = 640;
const LINE = 26;
const THUMBNAIL = { width: 148, height: 168 };

/**
 * A part of the picture, as high as it says.
 * @typedef {object} Block
 * @property {number} height
 * @property {(pen: CanvasRenderingContext2D, top: number) => void} draw
 */

/**
 * A picture of an answer as it is shown: its words, and its heatmap or its picture word by word.
 * @param {HTMLElement} answer
 * @param {string} title
 * @returns {Promise<Blob>} PNG
 */
export async function pictureOf(answer, title) {
  const shown = (/** @type {string} */ selector) =>
    /** @type {HTMLElement[]} */ ([...answer.querySelectorAll(selector)]).filter((each) => each.offsetParent !== null);
  const matrix = /** @type {HTMLCanvasElement[]} */ (shown("canvas.matrix"));
  const strip = shown(".filmstrip li");
  const width = Math.max(MIN_WIDTH, ...matrix.map((canvas) => canvas.clientWidth + 2 * MARGIN));
  const canvas = element("canvas");
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const style = getComputedStyle(answer);
  const blocks = [
    textBlock(pen, title, `600 15px ${style.fontFamily}`, style.color, width),
    ...shown(".source .line, .hypothesis .line").map((line) => {
      return textBlock(pen, line.textContent ?? "", `18px ${getComputedStyle(line).fontFamily}`, style.color, width);
    }),
    ...(strip.length ? [stripBlock(strip, style, width)] : matrix.map(canvasBlock)),
  ];
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = (blocks.reduce((sum, { height }) => sum + height + MARGIN / 2, 0) + 1.5 * MARGIN) * ratio;
  pen.scale(ratio, ratio);
  pen.fillStyle = getComputedStyle(document.body).backgroundColor;
  pen.fillRect(0, 0, width, canvas.height);
  let top = MARGIN;
  for (const { height, draw } of blocks) {
    draw(pen, top);
    top += height + MARGIN / 2;
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Problem("Not saved", "Your browser made no picture."))), "image/png");
  });
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {string} font
 * @param {string} colour
 * @param {number} width of the picture
 * @returns {Block}
 */
function textBlock(pen, text, font, colour, width) {
  pen.font = font;
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(/\s+/)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width - 2 * MARGIN) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const draw = (/** @type {CanvasRenderingContext2D} */ own, /** @type {number} */ top) => {
    own.font = font;
    own.fillStyle = colour;
    own.textBaseline = "top";
    lines.forEach((line, at) => own.fillText(line, MARGIN, top + at * LINE));
  };
  return { height: lines.length * LINE, draw };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Block}
 */
const canvasBlock = (canvas) => ({
  height: canvas.clientHeight,
  draw: (pen, top) => pen.drawImage(canvas, MARGIN, top, canvas.clientWidth, canvas.clientHeight),
});

/**
 * @param {HTMLElement[]} items each a thumbnail and its word
 * @param {CSSStyleDeclaration} style
 * @param {number} width of the picture
 * @returns {Block}
 */
function stripBlock(items, style, width) {
  const perRow = Math.floor((width - 2 * MARGIN) / THUMBNAIL.width);
  const draw = (/** @type {CanvasRenderingContext2D} */ pen, /** @type {number} */ top) => {
    pen.font = `14px ${style.fontFamily}`;
    pen.fillStyle = style.color;
    pen.textBaseline = "top";
    items.forEach((item, at) => {
      const canvas = /** @type {HTMLCanvasElement} */ (item.querySelector("canvas"));
      const [left, y] = [MARGIN + (at % perRow) * THUMBNAIL.width, top + Math.floor(at / perRow) * THUMBNAIL.height];
      const scale = Math.min((THUMBNAIL.width - 12) / canvas.width, (THUMBNAIL.height - 32) / canvas.height);
      pen.drawImage(canvas, left, y + 20, canvas.width * scale, canvas.height * scale);
      pen.fillText(item.textContent ?? "", left, y);
    });
  };
  return { height: Math.ceil(items.length / perRow) * THUMBNAIL.height, draw };
}

/**
 * Has the browser save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const link = element("a");
  const address = URL.createObjectURL(blob);
  setAttributes(link, { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
