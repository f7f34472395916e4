/**
 * What a model found in one step: labels with their probabilities, pieces in place of masks, cosines of vectors, boxes.
 */

import { isOfChannels } from "./drawn.js";
import { textsOf } from "./one_step.js";
import { Choice, element, setAttributes } from "./view/dom.js";
import { percent } from "./view/readout.js";
import { legible } from "./view/result.js";
import { decodeMap } from "./view/weights.js";

/** @typedef {import("./composer.js").Call} Call */

/**
 * What is shown in the maps: which text's, and of an answer to a question in which direction.
 * @typedef {{index: number, isFromPicture: boolean}} Chosen
 */

const MAX_COSINES = 40; // texts whose cosines are a table

export class Findings {
  /** @param {(chosen: Chosen) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.#shown = element("div");
    this.#direction = new Choice("Maps", (/** @type {"question" | "picture"} */ from) => {
      this.#direction.show(DIRECTIONS, from);
      onChoose({ index: 0, isFromPicture: from === "picture" });
    });
    this.element = element("section", "findings", this.#shown, this.#direction.element);
    setAttributes(this.element, { "aria-label": "What was found" });
    this.element.hidden = true;
  }

  /** @type {(chosen: Chosen) => void} */ #onChoose;
  /** @type {HTMLElement} */ #shown;
  /** @type {Choice<any>} */ #direction;

  hide() {
    this.element.hidden = true;
  }

  /**
   * @param {Call} call
   * @param {any[]} results of the call, in the API's JSON
   * @param {HTMLImageElement | null} image
   */
  show(call, results, image) {
    const [first] = results;
    const parts = {
      encode: () => this.#vectors(textsOf(call), results),
      "fill-mask": () => (first.masks ?? []).map(masked),
      detect: () => boxes(first, image),
      answer: () => [element("p", "found", first.answer || "No answer reaches the threshold."), labelList(first.labels), ...checks(first)],
      classify: () => (first.tokens?.length ? [tokenTable(call.text, first.tokens)] : [labelList(first.labels), ...channels(first), ...checks(first)]),
    };
    this.#direction.show(call.task === "answer" ? DIRECTIONS : [], "question");
    this.#shown.replaceChildren(...parts[/** @type {keyof typeof parts} */ (call.task)]());
    this.element.hidden = false;
  }

  /**
   * Facts of one vector, or the cosines of several, whose texts can be chosen.
   * @param {string[]} texts
   * @param {any[]} results
   */
  #vectors(texts, results) {
    const [{ vector, pooling = "" }] = results;
    const length = normOf(vector);
    const how = pooling.replace("POOLING_", "").toLowerCase();
    const facts = element("p", "chosen", `${vector.length} numbers a text, pooled by ${how}; the first one's length is ${length.toFixed(3)}.`);
    if (results.length < 2) return [facts, element("p", "chosen", "Write several lines to compare their vectors.")];
    if (results.length > MAX_COSINES) return [facts, element("p", "chosen", `The cosines of up to ${MAX_COSINES} lines are shown as a table.`)];
    const table = this.#cosines(texts, results.map((result) => result.vector));
    const scroll = element("div", "table-scroll", table);
    setAttributes(scroll, { tabindex: 0, role: "group", "aria-label": "Cosines" });
    return [facts, scroll, element("p", "chosen", "A click on a line's text shows its maps.")];
  }

  /**
   * @param {string[]} texts
   * @param {number[][]} vectors
   */
  #cosines(texts, vectors) {
    const buttons = texts.map((text, index) => {
      const button = element("button", "line-of", legible(text));
      setAttributes(button, { type: "button", "aria-pressed": index === 0 });
      button.addEventListener("click", () => {
        buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
        this.#onChoose({ index, isFromPicture: false });
      });
      return button;
    });
    const rows = vectors.map((one, at) => {
      const cells = vectors.map((other) => tinted(cosineOf(one, other)));
      return element("tr", "", heading("row", `${at + 1} `, buttons[at]), ...cells);
    });
    const head = element("tr", "", element("td"), ...vectors.map((_, at) => heading("col", String(at + 1))));
    return element("table", "cosines", element("caption", "", "Cosines"), element("thead", "", head), element("tbody", "", ...rows));
  }
}

/** @type {["question" | "picture", string][]} */
const DIRECTIONS = [
  ["question", "From the question to the picture"],
  ["picture", "From the picture to the question"],
];

/**
 * @param {"row" | "col"} scope
 * @param {...(Node | string)} children
 */
function heading(scope, ...children) {
  const cell = element("th", "", ...children);
  cell.scope = scope;
  return cell;
}

/** @param {number} cosine */
function tinted(cosine) {
  const cell = element("td", "", cosine.toFixed(2));
  cell.style.setProperty("--share", `${(100 * Math.max(cosine, 0)).toFixed(1)}%`);
  return cell;
}

/** @param {number[]} vector */
const normOf = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function cosineOf(one, other) {
  const product = one.reduce((sum, value, at) => sum + value * other[at], 0);
  return product / Math.max(normOf(one) * normOf(other), 1e-12);
}

/**
 * @param {{label: string, probability?: number}[]} [labels]
 */
function labelList(labels = []) {
  if (!labels.length) return element("p", "chosen", "No label reaches the threshold.");
  const items = labels.map(({ label, probability = 0 }) => probableItem(label, probability));
  const list = element("ol", "labels", ...items);
  setAttributes(list, { "aria-label": "Labels", tabindex: 0 });
  return list;
}

/**
 * @param {string} name
 * @param {number} probability
 */
function probableItem(name, probability) {
  const bar = element("span", "bar");
  bar.style.width = `${100 * probability}%`;
  return element("li", "", element("span", "name", legible(name)), element("span", "track", bar), element("span", "number", percent(probability)));
}

/**
 * @param {any} mask
 * @param {number} at
 */
function masked({ pieces = [] }, at) {
  const items = pieces.map((/** @type {any} */ { text, piece, probability = 0 }) => probableItem(text || piece, probability));
  const list = element("ol", "labels", ...items);
  setAttributes(list, { "aria-label": `Mask ${at + 1}`, tabindex: 0 });
  return element("div", "mask", element("h2", "", `Mask ${at + 1}`), list);
}

/**
 * The tokens of a text with the likeliest label of each.
 * @param {string} text
 * @param {any[]} tokens
 */
function tokenTable(text, tokens) {
  const letters = Array.from(text); // spans count code points
  const rows = tokens.map(({ span, labels: [best] = [] }) => {
    const own = letters.slice(span?.start ?? 0, span?.end ?? 0).join("");
    const said = best ? [best.label, percent(best.probability ?? 0)] : ["", ""];
    return element("tr", "", heading("row", legible(own)), ...said.map((part) => element("td", "", part)));
  });
  const head = element("tr", "", ...["Token", "Label", "Probability"].map((name) => heading("col", name)));
  const table = element("table", "token-labels", element("thead", "", head), element("tbody", "", ...rows));
  const scroll = element("div", "table-scroll", table);
  setAttributes(scroll, { tabindex: 0, role: "group", "aria-label": "Labels of tokens" });
  return scroll;
}

/**
 * The gates of a feature map's channels as a table, a row for each layer.
 * @param {any} result
 */
function channels({ input }) {
  const message = (input?.attention ?? []).find(isOfChannels);
  if (!message) return [];
  const { layers, columns, values } = decodeMap(message);
  const numbers = Array.from({ length: columns }, (_, channel) => heading("col", String(channel)));
  const rows = layers.map((layer, at) => {
    const gates = Array.from(values.subarray(at * columns, (at + 1) * columns), tinted);
    return element("tr", "", heading("row", `layer ${layer}`), ...gates);
  });
  const head = element("tr", "", element("td"), ...numbers);
  const caption = element("caption", "", "Gates of channels");
  const scroll = element("div", "table-scroll", element("table", "cosines", caption, element("thead", "", head), element("tbody", "", ...rows)));
  setAttributes(scroll, { tabindex: 0, role: "group", "aria-label": "Gates of channels" });
  return [scroll];
}

/**
 * What the evidence is worth, a line for each label or object that was explained.
 * @param {{explanations?: any[]}} found
 */
function checks({ explanations = [] }) {
  if (!explanations.length) return [];
  const [own, other] = explanations;
  const fall = ({ comprehensiveness = 0 }) => comprehensiveness.toFixed(2);
  const rest = ({ sufficiency = 0 }) => sufficiency.toFixed(2);
  const said = `${legible(own.label)}: falls by ${fall(own)} without what the evidence points at, by ${rest(own)} with it alone; at random by ${fall(other)} and ${rest(other)}.`;
  return [element("p", "chosen checked", said)];
}

/**
 * The picture with its boxes, and their labels as a list.
 * @param {any} result
 * @param {HTMLImageElement | null} image
 */
function boxes({ detections = [] }, image) {
  const items = detections.map((/** @type {any} */ { label, score = 0 }, /** @type {number} */ at) => probableItem(`${at + 1} ${label}`, score));
  const list = element("ol", "labels", ...items);
  setAttributes(list, { "aria-label": "Boxes", tabindex: 0 });
  if (!detections.length) return [element("p", "chosen", "Nothing was found in this picture.")];
  const checked = detections.flatMap(checks);
  return image ? [boxedPicture(detections, image), list, ...checked] : [list, ...checked];
}

/**
 * @param {any[]} detections
 * @param {HTMLImageElement} image
 */
function boxedPicture(detections, image) {
  const shown = element("img");
  setAttributes(shown, { src: image.src, alt: "The picture" });
  const frames = detections.map(({ label, box = {} }, at) => {
    const frame = element("span", "box", element("span", "", `${at + 1} ${label}`));
    const [left, top] = [box.left ?? 0, box.top ?? 0];
    const share = (/** @type {number} */ length, /** @type {number} */ whole) => `${(100 * length) / whole}%`;
    frame.style.left = share(left, image.naturalWidth);
    frame.style.top = share(top, image.naturalHeight);
    frame.style.width = share((box.right ?? 0) - left, image.naturalWidth);
    frame.style.height = share((box.bottom ?? 0) - top, image.naturalHeight);
    return frame;
  });
  return element("div", "boxed", shown, ...frames);
}
