/**
 * An output shaded by confidence: the less probable a word, the darker its ground.
 */

import { element, setAttributes } from "./dom.js";
import { legible } from "./result.js";

/** @typedef {import("./result.js").Result} Result */

const LEVELS = 4; // of shading, besides none; `view.css` has a ground for each

export class Shade {
  constructor() {
    this.element = element("p", "shaded");
    setAttributes(this.element, { dir: "auto", "aria-label": "How sure the model is of each word" });
    this.element.hidden = true;
  }

  /**
   * Shows the best output; nothing if the server does not know how sure the model is.
   * @param {Result} result
   */
  show(result) {
    const best = result.hypotheses[0];
    const words = best?.confidences ?? [];
    this.element.hidden = words.length === 0;
    const letters = Array.from(best?.text ?? "");
    /** @type {(Node | string)[]} */
    const parts = [];
    let end = 0;
    for (const word of words) {
      parts.push(legible(letters.slice(end, word.start).join("")));
      parts.push(shaded(legible(letters.slice(word.start, word.end).join("")), word.probability));
      end = word.end;
    }
    this.element.replaceChildren(...parts, legible(letters.slice(end).join("")));
  }

  hide() {
    this.element.hidden = true;
  }
}

/**
 * @param {string} text
 * @param {number} probability
 */
function shaded(text, probability) {
  const word = element("span", "", text);
  const level = Math.min(LEVELS, Math.floor((1 - probability) * (LEVELS + 1)));
  setAttributes(word, { "data-doubt": level, title: `${Math.round(100 * probability)} %` });
  return word;
}
