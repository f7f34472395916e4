/**
 * Other words for a translation: a click on a word shows what else the model might have written there, and a click on one
 * of these has the translation go on from it.
 */

import { post } from "./api.js";
import { alternativesRequestOf } from "./requests.js";
import { element, setAttributes } from "./view/dom.js";

/** @typedef {import("./composer.js").Call} Call */
/** @typedef {import("./view/result.js").Result} Result */

const NUM_ALTERNATIVES = 6;
const MAX_CHARACTERS = 2000; // of a translation whose words are buttons

export class Alternatives {
  /**
   * @param {(prefix: string) => void} onChoose the translation shall begin so
   * @param {(error: unknown) => void} onError
   */
  constructor(onChoose, onError) {
    this.#onChoose = onChoose;
    this.#onError = onError;
    this.#words = element("p", "alternative-words");
    this.#list = element("div", "alternative-list");
    setAttributes(this.#list, { role: "status", "aria-label": "Other words" });
    const hint = element("p", "chosen", "Choose a word to see what else might stand there.");
    this.element = element("section", "alternatives", element("h2", "", "Other words"), hint, this.#words, this.#list);
    setAttributes(this.element, { "aria-label": "Alternatives" });
    this.element.hidden = true;
  }

  /** @type {(prefix: string) => void} */ #onChoose;
  /** @type {(error: unknown) => void} */ #onError;
  /** @type {HTMLElement} */ #words;
  /** @type {HTMLElement} */ #list;
  /** @type {AbortController | null} */ #asking = null;

  hide() {
    this.#asking?.abort();
    this.element.hidden = true;
  }

  /**
   * @param {Call} call
   * @param {Result} result
   */
  show(call, result) {
    this.hide();
    const text = result.hypotheses[0].text;
    if (call.task !== "translate" || call.format !== "plain" || !text.trim() || text.length > MAX_CHARACTERS) return;
    this.#list.replaceChildren();
    this.#words.replaceChildren();
    for (const { 0: piece, index } of text.matchAll(/\S+|\s+/g)) {
      if (!piece.trim()) {
        this.#words.append(piece);
        continue;
      }
      const button = element("button", "word", piece);
      button.type = "button";
      button.addEventListener("click", () => this.#ask(call, text.slice(0, index), button));
      this.#words.append(button);
    }
    this.element.hidden = false;
  }

  /**
   * @param {Call} call
   * @param {string} prefix
   * @param {HTMLElement} button
   */
  async #ask(call, prefix, button) {
    this.#asking?.abort();
    const own = (this.#asking = new AbortController());
    for (const word of this.#words.querySelectorAll("button")) setAttributes(word, { "aria-pressed": word === button });
    try {
      const { path, body } = alternativesRequestOf(call, prefix, NUM_ALTERNATIVES);
      const { hypotheses } = (await post(path, body, own.signal)).results[0];
      if (!own.signal.aborted) this.#list.replaceChildren(...hypotheses.map((/** @type {any} */ each) => this.#choice(each, prefix)));
    } catch (error) {
      if (!own.signal.aborted) this.#onError(error);
    }
  }

  /**
   * @param {any} hypothesis
   * @param {string} prefix
   */
  #choice(hypothesis, prefix) {
    const [, space, word] = /^(\s*)(\S*)/.exec(hypothesis.text.slice(prefix.length)) ?? ["", "", ""];
    const start = Array.from(prefix).length;
    const token = (hypothesis.tokens ?? []).find((/** @type {any} */ each) => each.span && (each.span.end ?? 0) > start);
    const share = token ? `${(100 * Math.exp(token.logprob ?? 0)).toFixed(1)} %` : "";
    const button = element("button", "quiet", element("strong", "", word || "(end)"), ` ${share}`);
    button.type = "button";
    button.title = hypothesis.text;
    button.addEventListener("click", () => this.#onChoose(prefix + space + word));
    return button;
  }
}
