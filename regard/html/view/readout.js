/**
 * The focused word's weights as a list, which screen readers announce.
 */

import { element, setAttributes } from "./dom.js";

/** @typedef {import("./result.js").Unit} Unit */

const MAX_LISTED = 6;
const MAX_TABLE_CELLS = 4000;

/** @param {number} weight */
export const percent = (weight) => `${(100 * weight).toFixed(weight < 0.1 ? 1 : 0)} %`;

export class Readout {
  constructor() {
    this.element = element("section", "readout");
    setAttributes(this.element, { "aria-label": "The focused word" });
    this.#spoken = element("p", "hidden");
    this.#spoken.setAttribute("aria-live", "polite");
    this.#shown = element("div");
    this.element.append(this.#shown, this.#spoken);
  }

  /** @type {HTMLElement} */
  #spoken;
  /** @type {HTMLElement} */
  #shown;

  /** Shows how to use the page, while no word is focused. */
  hint() {
    this.#shown.replaceChildren(
      element("p", "hint", "Point at a word, or move to it with Tab and the arrow keys. A click or Enter pins it, Esc unpins it."),
    );
    this.#spoken.textContent = "";
  }

  /**
   * Lists the strongest weights of a word.
   * @param {string} title
   * @param {{unit: Unit, weight: number}[]} weights
   * @param {string[]} notes
   * @param {import("./theme.js").Colours} colours
   * @param {number} largest the weight of the strongest colour
   */
  list(title, weights, notes, colours, largest) {
    const strongest = weights.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight).slice(0, MAX_LISTED);
    const items = strongest.map(({ unit, weight }) => {
      const bar = element("span", "bar");
      bar.style.width = `${100 * Math.min(weight, 1)}%`;
      bar.style.backgroundColor = colours.css(Math.max(weight / largest, 0.25));
      return element(
        "li",
        "",
        element("span", unit.special ? "name special" : "name", unit.text),
        element("span", "track", bar),
        element("span", "number", percent(weight)),
      );
    });
    this.#shown.replaceChildren(
      element("h2", "", title),
      items.length ? element("ol", "", ...items) : element("p", "hint", "No weight reaches the threshold."),
      ...notes.map((note) => element("p", "note", note)),
    );
    const spoken = strongest.slice(0, 3).map(({ unit, weight }) => `${unit.text} ${percent(weight)}`);
    this.#spoken.textContent = `${title}: ${spoken.join(", ") || "none"}`;
  }
}

/**
 * The weights of a map as a table: all of them, or the strongest of each row of a large map.
 * @param {Float32Array} values [rows, columns]
 * @param {Unit[]} rows
 * @param {Unit[]} columns
 */
export function tableOf(values, rows, columns) {
  const header = (/** @type {string} */ scope, /** @type {string} */ text) => {
    const cell = element("th", "", text);
    cell.scope = scope;
    return cell;
  };
  const isWhole = values.length <= MAX_TABLE_CELLS;
  const body = rows.map((unit, row) => {
    const own = Array.from(values.subarray(row * columns.length, (row + 1) * columns.length));
    const cells = isWhole ? own.map((weight) => weight.toFixed(3)) : [strongestOf(own, columns)];
    return element("tr", "", header("row", unit.text), ...cells.map((text) => element("td", "", text)));
  });
  const headings = isWhole ? columns.map((unit) => header("col", unit.text)) : [header("col", "strongest")];
  const head = element("thead", "", element("tr", "", element("td"), ...headings));
  return element("table", "", head, element("tbody", "", ...body));
}

/**
 * @param {number[]} weights
 * @param {Unit[]} columns
 */
function strongestOf(weights, columns) {
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, 5);
  return order.map((column) => `${columns[column].text} ${weights[column].toFixed(3)}`).join(", ");
}
