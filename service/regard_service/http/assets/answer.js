/**
 * The answer to a call: the whole text if it has layout, its warnings, and the words and maps of one segment.
 */

import { drawnOf } from "./drawn.js";
import { Findings } from "./findings.js";
import { hasLayout, nameOf, Passage } from "./passage.js";
import { Rendered } from "./rendered.js";
import { isLong } from "./requests.js";
import { Shade } from "./view/shade.js";
import { element, listWarnings, setAttributes } from "./view/dom.js";
import { legible, readResult, segmentOf, wordsOf } from "./view/result.js";
import { View } from "./view/view.js";

/** @typedef {import("./view/result.js").Result} Result */

/**
 * What was sent.
 * @typedef {object} Input
 * @property {import("./composer.js").Call} call
 * @property {HTMLImageElement | null} image
 */

export class Answer {
  constructor() {
    this.element = element("section", "answer");
    setAttributes(this.element, { "aria-label": "Answer" });
    this.element.hidden = true;
    this.#passage = new Passage((index) => this.#showSegment(index));
    this.#rendered = element("div", "passage", this.#pages[0].element, this.#pages[1].element);
    setAttributes(this.#name, { role: "status" });
    this.element.append(this.#findings.element, this.#warnings, this.#shade.element, this.#passage.element, this.#rendered, this.#name);
    this.#view = new View(this.element);
  }

  /** @type {Passage} */ #passage;
  #pages = [new Rendered("Source as rendered"), new Rendered("Translation as rendered")];
  /** @type {HTMLElement} */ #rendered;
  #warnings = element("ul");
  #shade = new Shade();
  #name = element("p", "chosen");
  /** @type {View} */ #view;
  /** @type {Result | null} the whole one */ #result = null;
  #numShown = 0;
  #findings = new Findings((chosen) => this.#draw(chosen));
  /** @type {{results: any[], input: Input} | null} what was found in one step */ #found = null;
  /** @type {any} */ #drawn = null;

  /** What was found in one step as the view shows it, in the API's JSON; null if the answer is none of one step. */
  get drawn() {
    return this.#drawn;
  }

  /** How often a part of an answer, or a whole one, has been shown. */
  get numShown() {
    return this.#numShown;
  }

  /** @param {boolean} isBusy */
  set isBusy(isBusy) {
    setAttributes(this.element, { "aria-busy": isBusy || null });
  }

  /** @param {string} name of the model; "" if there is one answer only */
  set name(name) {
    setAttributes(this.element, { "aria-label": name ? `Answer of ${name}` : "Answer" });
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * Marks what another model's best output has not.
   * @param {Result} other
   */
  compareWith(other) {
    if (!this.#view.element.hidden && this.#passage.element.hidden) this.#view.compareWith(wordsOf(other));
  }

  /** Repaints in the page's new theme. */
  themeChanged() {
    this.#view.themeChanged();
  }

  /**
   * @param {Result} result
   * @param {Input} input
   */
  show(result, { call, image }) {
    this.#result = result;
    this.#forgetFindings();
    this.#numShown++;
    this.element.hidden = false;
    const isPassage = call.task === "translate" && (call.format !== "plain" || hasLayout(call.text, result));
    this.#showWarnings(result.warnings.filter(({ segment }) => !isPassage || segment === null));
    this.#passage.element.hidden = !isPassage;
    this.#shade.show(result);
    this.#showPages(call, result);
    if (!isPassage) this.#showDetails(result, image);
    else {
      this.#passage.show(call.text, result);
      const first = result.segments.findIndex(({ copied }) => !copied);
      if (result.segments.length) this.#passage.choose(Math.max(first, 0));
      else this.#hideDetails("There is nothing to translate in this text: it was copied.");
    }
  }

  /**
   * Shows what was found in one step, and the maps of the first input.
   * @param {any[]} results in the API's JSON
   * @param {Input} input
   * @returns {any} the first result as the view shows it, in the API's JSON
   */
  showFindings(results, input) {
    this.#result = null;
    this.#found = { results, input };
    this.#numShown++;
    this.element.hidden = false;
    this.#showWarnings([]);
    this.#shade.hide();
    this.#rendered.hidden = this.#passage.element.hidden = true;
    this.#findings.show(input.call, results, input.image);
    this.#draw({ index: 0, isFromPicture: false });
    return this.#drawn;
  }

  /**
   * Shows the maps of one of the inputs.
   * @param {import("./findings.js").Chosen} chosen
   */
  #draw({ index, isFromPicture }) {
    if (!this.#found) return;
    const { results, input } = this.#found;
    this.#drawn = drawnOf(input.call, results[index], isFromPicture);
    const result = readResult(this.#drawn);
    if (result.hypotheses[0].tokens.length) this.#showDetails(result, input.image);
    else this.#hideDetails("There is nothing whose maps could be shown.");
  }

  #forgetFindings() {
    this.#found = this.#drawn = null;
    this.#findings.hide();
  }

  /**
   * Shows an output that is being made. Of a page only the text: its maps come by segment, at the end.
   * @param {import("./partial.js").Partial} partial
   * @param {Input} input
   */
  showPartial(partial, { call, image }) {
    this.#forgetFindings();
    this.#numShown++;
    this.element.hidden = false;
    this.#showWarnings([]);
    this.#shade.hide();
    this.#rendered.hidden = true;
    const isPage = call.task === "translate" && (call.format !== "plain" || call.text.trim().includes("\n") || isLong(call));
    this.#passage.element.hidden = !isPage;
    if (isPage) {
      this.#passage.showPart(call.text, partial.text);
      this.#hideDetails("");
    } else {
      this.#showDetails(partial.result(), image);
    }
  }

  /** @param {number} index */
  #showSegment(index) {
    const result = this.#result;
    if (!result) return;
    if (result.segments[index].copied) {
      this.#hideDetails("This segment was copied: no model read it.");
      return;
    }
    const segment = segmentOf(result, index);
    this.#showDetails(segment, null);
    const { target } = result.segments[index];
    const text = Array.from(result.hypotheses[0].text).slice(target.start, target.end).join("");
    this.#name.textContent = `Segment ${index + 1} of ${result.segments.length}: ${nameOf(text)}`;
    this.#name.hidden = false;
  }

  /**
   * @param {Result} result
   * @param {HTMLImageElement | null} image
   */
  #showDetails(result, image) {
    this.#name.hidden = true;
    this.#view.element.hidden = false;
    this.#view.show(result, image);
  }

  /** @param {string} why */
  #hideDetails(why) {
    this.#view.element.hidden = true;
    this.#name.textContent = why;
    this.#name.hidden = !why;
  }

  /**
   * Shows HTML as a browser does, source and output.
   * @param {import("./composer.js").Call} call
   * @param {Result} result
   */
  #showPages(call, result) {
    const isPage = call.task === "translate" && call.format === "html";
    this.#rendered.hidden = !isPage;
    if (!isPage) return;
    this.#pages[0].show(call.text);
    this.#pages[1].show(result.hypotheses[0].text);
  }

  /** @param {import("./view/result.js").Warning[]} warnings */
  #showWarnings(warnings) {
    listWarnings(this.#warnings, warnings.map(({ message }) => legible(message)));
  }
}
