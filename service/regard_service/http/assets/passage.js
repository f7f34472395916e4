/**
 * A text and its translation side by side, with their layout: a segment that is pointed at or focused lights its
 * counterpart, and a segment that is chosen is shown in detail.
 */

import { element, setAttributes } from "./view/dom.js";
import { legible } from "./view/result.js";

/** @typedef {import("./view/result.js").Result} Result */
/** @typedef {import("./view/result.js").Range} Range */

/**
 * Called when a segment is chosen.
 * @typedef {(index: number) => void} OnChoose
 */

/** How much of a text screen readers and warnings name it by, in characters. */
const LONGEST_NAME = 60;

export class Passage {
  /** @param {OnChoose} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.element = element("section", "passage", this.#source.element, this.#output.element);
    this.element.setAttribute("aria-label", "The whole text");
    this.element.hidden = true;
  }

  /** @type {OnChoose} */ #onChoose;
  #source = new Side("Source text");
  #output = new Side("Translated text");

  /**
   * Shows a text and its output; the segments can be chosen.
   * @param {string} source
   * @param {Result} result
   */
  show(source, result) {
    const sides = [this.#source, this.#output];
    const react = {
      light: (/** @type {number | null} */ index, /** @type {Side} */ from) => {
        for (const side of sides) side.light(index, side !== from);
      },
      choose: (/** @type {number} */ index) => this.choose(index),
    };
    this.#source.show(source, result.segments.map((segment) => segment.source), [], react);
    const targets = result.segments.map((segment) => segment.target);
    this.#output.show(result.hypotheses[0]?.text ?? "", targets, result.warnings, react);
    this.element.hidden = false;
  }

  /**
   * Shows an output that is not complete, without segments.
   * @param {string} source
   * @param {string} output
   */
  showPart(source, output) {
    this.#source.showText(source);
    this.#output.showText(output);
    this.element.hidden = false;
  }

  /**
   * Marks a segment as chosen, and reports it.
   * @param {number} index
   */
  choose(index) {
    for (const side of [this.#source, this.#output]) side.choose(index);
    this.#onChoose(index);
  }
}

/**
 * How the two sides react to a reader.
 * @typedef {object} Reactions
 * @property {(index: number | null, from: Side) => void} light
 * @property {(index: number) => void} choose
 */

/** One of the two texts. */
class Side {
  /** @param {string} name */
  constructor(name) {
    this.#text = element("div", "passage-text");
    setAttributes(this.#text, { dir: "auto", role: "group", "aria-label": name, tabindex: 0 });
    this.element = element("div", "side", element("span", "caption", name), this.#text);
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("pointerleave", () => this.#react?.light(null, this));
  }

  /** @type {HTMLElement} */ #text;
  /** @type {HTMLElement[]} */ #segments = [];
  /** @type {Reactions | null} */ #react = null;

  /** @param {string} text */
  showText(text) {
    this.#segments = [];
    this.#text.tabIndex = 0; // a long text scrolls, also by keys
    this.#text.replaceChildren(legible(text));
  }

  /**
   * @param {string} text
   * @param {Range[]} ranges of its segments, in code points, in order
   * @param {import("./view/result.js").Warning[]} warnings
   * @param {Reactions} react
   */
  show(text, ranges, warnings, react) {
    const letters = Array.from(text);
    const part = (/** @type {number} */ start, /** @type {number} */ end) => legible(letters.slice(start, end).join(""));
    /** @type {(Node | string)[]} */
    const parts = [];
    let end = 0;
    this.#react = react;
    this.#segments = ranges.map((range, index) => {
      const own = this.#segment(part(range.start, range.end), index);
      parts.push(part(end, range.start), own, ...notesOn(own, warnings.filter(({ segment }) => segment === index)));
      end = range.end;
      return own;
    });
    this.#text.replaceChildren(...parts, part(end, letters.length));
    if (this.#segments.length) this.#segments[0].tabIndex = 0;
    setAttributes(this.#text, { tabindex: this.#segments.length ? null : 0 });
  }

  /**
   * @param {string} text
   * @param {number} index
   */
  #segment(text, index) {
    const segment = element("span", "segment", text);
    setAttributes(segment, { role: "button", tabindex: -1, "data-segment": index, "aria-pressed": false });
    if (!text.trim()) segment.setAttribute("aria-label", "empty");
    segment.addEventListener("pointerenter", () => this.#react?.light(index, this));
    segment.addEventListener("focus", () => this.#react?.light(index, this));
    segment.addEventListener("blur", () => this.#react?.light(null, this));
    segment.addEventListener("click", () => this.#react?.choose(index));
    return segment;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.#segments.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const last = this.#segments.length - 1;
    const forward = getComputedStyle(this.#text).direction === "rtl" ? -1 : 1;
    /** @type {Record<string, number>} */
    const steps = { ArrowRight: at + forward, ArrowLeft: at - forward, ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last };
    if (event.key === "Enter" || event.key === " ") this.#react?.choose(at);
    else if (event.key in steps) this.#focus(Math.min(Math.max(steps[event.key], 0), last));
    else return;
    event.preventDefault();
  }

  /** @param {number} index */
  #focus(index) {
    this.#reachable(index);
    this.#segments[index].focus();
  }

  /**
   * Makes a segment the one that the tab key reaches.
   * @param {number} index
   */
  #reachable(index) {
    this.#segments.forEach((segment, at) => (segment.tabIndex = at === index ? 0 : -1));
  }

  /**
   * Lights a segment; null lights none.
   * @param {number | null} index
   * @param {boolean} isCounterpart whether the reader points at the other side, so that this one scrolls to it
   */
  light(index, isCounterpart) {
    this.#segments.forEach((segment, at) => segment.classList.toggle("lit", at === index));
    if (index !== null && isCounterpart) this.#reveal(this.#segments[index]);
  }

  /** @param {number} index */
  choose(index) {
    this.#segments.forEach((segment, at) => segment.setAttribute("aria-pressed", String(at === index)));
    this.#reachable(index);
  }

  /**
   * Scrolls this text, not the page, until a segment is in sight.
   * @param {HTMLElement} segment
   */
  #reveal(segment) {
    const [outer, inner] = [this.#text.getBoundingClientRect(), segment.getBoundingClientRect()];
    if (inner.top < outer.top) this.#text.scrollTop -= outer.top - inner.top;
    else if (inner.bottom > outer.bottom) this.#text.scrollTop += Math.min(inner.bottom - outer.bottom, inner.top - outer.top);
  }
}

let numNotes = 0;

/**
 * Notes that stand behind a segment, with what may be wrong with it.
 * @param {HTMLElement} segment
 * @param {import("./view/result.js").Warning[]} warnings
 */
function notesOn(segment, warnings) {
  const notes = warnings.map(({ message }) => {
    const note = element("span", "warning", legible(message));
    setAttributes(note, { role: "note", id: `warning-${numNotes++}` });
    return note;
  });
  segment.classList.toggle("warned", notes.length > 0);
  if (notes.length) segment.setAttribute("aria-describedby", notes.map(({ id }) => id).join(" "));
  return notes;
}

/**
 * Whether a result is more than one sequence: it has several segments, layout around its segment, or markup.
 * @param {string} source
 * @param {Result} result
 */
export function hasLayout(source, result) {
  const [only] = result.segments;
  if (result.segments.length !== 1) return result.segments.length > 1 || result.warnings.some(({ segment }) => segment !== null);
  const around = Array.from(source);
  around.splice(only.source.start, only.source.end - only.source.start);
  return around.join("").trim() !== "";
}

/**
 * The beginning of a text, as a name of it.
 * @param {string} text
 */
export const nameOf = (text) => {
  const letters = Array.from(legible(text).replace(/\s+/g, " ").trim());
  return letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME).join("")} …` : letters.join("");
};
