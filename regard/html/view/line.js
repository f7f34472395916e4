/**
 * A line of words, set as text. Each can be focused by pointer or arrow keys, and tinted by a weight.
 */

import { element, setAttributes } from "./dom.js";

/** @typedef {import("./result.js").Unit} Unit */

/**
 * Called when a word is focused, left (the index is null) or clicked.
 * @typedef {(index: number | null, isClick: boolean) => void} OnFocus
 */

export class Line {
  /**
   * @param {string} label for screen readers
   * @param {Unit[]} units
   * @param {OnFocus} onFocus
   */
  constructor(label, units, onFocus) {
    this.#onFocus = onFocus;
    this.words = units.map((unit, index) => this.#word(unit, index));
    this.element = element("p", "line");
    setAttributes(this.element, { dir: "auto", role: "toolbar", "aria-label": label });
    units.forEach((unit, index) => this.element.append(index ? unit.gap : "", this.words[index]));
    if (this.words.length) this.words[0].tabIndex = 0;
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("pointerleave", () => onFocus(null, false));
  }

  /** @type {OnFocus} */
  #onFocus;

  /**
   * @param {Unit} unit
   * @param {number} index
   */
  #word(unit, index) {
    const word = element("span", "word", unit.text);
    word.classList.toggle("special", unit.special);
    word.classList.toggle("copied", !unit.special && Boolean(unit.copied));
    word.classList.toggle("joined", index > 0 && !unit.gap);
    setAttributes(word, { role: "button", tabindex: -1, "data-index": index, "aria-pressed": false });
    word.addEventListener("pointerenter", () => this.#onFocus(index, false));
    word.addEventListener("focus", () => this.#onFocus(index, false));
    word.addEventListener("blur", () => this.#onFocus(null, false));
    word.addEventListener("click", () => this.#onFocus(index, true));
    return word;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.words.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const forward = getComputedStyle(this.element).direction === "rtl" ? -1 : 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: at + forward, ArrowLeft: at - forward, Home: 0, End: this.words.length - 1 };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#onFocus(at, true);
    } else if (event.key in steps) {
      event.preventDefault();
      const next = Math.min(Math.max(steps[event.key], 0), this.words.length - 1);
      this.words[at].tabIndex = -1;
      this.words[next].tabIndex = 0;
      this.words[next].focus();
    }
  }

  /**
   * Tints every word by its weight; null removes all tints.
   * @param {((index: number) => number) | null} weightOf
   * @param {number} largest the weight of the strongest colour
   * @param {import("./theme.js").Colours} colours
   */
  tint(weightOf, largest, colours) {
    this.words.forEach((word, index) => {
      const weight = weightOf ? weightOf(index) : 0;
      const isTinted = weight > 0;
      word.style.backgroundColor = isTinted ? colours.css(weight / largest) : "";
      word.style.color = isTinted ? colours.ink(weight / largest) : "";
      if (weightOf) word.dataset.weight = weight.toFixed(4);
      else delete word.dataset.weight;
    });
  }

  /**
   * Marks the focused word; null marks none.
   * @param {number | null} index
   * @param {boolean} isPinned
   */
  mark(index, isPinned) {
    this.words.forEach((word, at) => {
      word.classList.toggle("focused", at === index);
      word.setAttribute("aria-pressed", String(at === index && isPinned));
    });
  }
}
