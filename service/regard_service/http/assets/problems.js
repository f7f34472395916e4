/**
 * What went wrong, in the words of this page, and what may be done about it.
 */

import { Problem } from "./api.js";
import { element, setAttributes } from "./view/dom.js";

/**
 * What may be done about a problem.
 * @typedef {object} Remedy
 * @property {string} name what its button says
 * @property {() => void} apply
 */

/**
 * What a reader may do about problems.
 * @typedef {object} Remedies
 * @property {() => void} retry sends the same call again
 * @property {() => boolean} canSplit whether the call's text may be split into parts; otherwise its end may be cut
 * @property {() => void} shorten sends it with the text split, or cut
 * @property {(beams: number) => void} useBeams sends it with as many beams
 */

/**
 * What the form calls the fields of a request.
 * @type {Record<string, string>}
 */
const LABELS = {
  "generation.num_beams": "Beams",
  "generation.num_return_sequences": "Outputs",
  num_beams: "Beams",
  num_return_sequences: "Outputs",
  "texts[0]": "Text",
  text: "Text",
  "images[0]": "Picture",
  image: "Picture",
  target_language: "To",
  source_language: "From",
  "text_options.format": "Format",
  style: "Style",
  model: "Model",
  "questions[0]": "Question",
  top_k: "At most",
  threshold: "Threshold",
  pooling: "Pooling",
  explain: "Check the map",
  truncation: "Long texts",
};

// In a sentence, "text" and "model" are words like others.
const CODED = Object.keys(LABELS).filter((name) => /[_.[]/.test(name));
const FIELDS = new RegExp(`(?<![\\w.])(?:${CODED.map((name) => name.replace(/[.[\]]/g, "\\$&")).join("|")})(?![\\w[])`, "g");
const HINT = / \(or ask for truncation\)/;
const TOO_FEW_BEAMS = /^is (\d+), more than num_beams/;
/** 0: no answer. */
const PASSING = [0, 408, 429, 502, 503, 504];

export class ProblemPanel {
  /** @param {Remedies} remedies */
  constructor(remedies) {
    this.#remedies = remedies;
    this.element = element("div", "problem");
    this.element.setAttribute("role", "alert");
  }

  /** @type {Remedies} */
  #remedies;

  clear() {
    this.element.replaceChildren();
  }

  /** @param {unknown} error */
  show(error) {
    if (!(error instanceof Problem)) console.error(error);
    const told = error instanceof Problem ? error : new Problem("Something went wrong on this page", String(error));
    const listed = told.violations.map(({ field, description }) => element("li", "", `${LABELS[field] ?? field}: ${worded(description)}`));
    const text = listed.length ? element("ul", "", ...listed) : element("span", "", ` ${worded(told.message)} `);
    const remedies = this.#remediesOf(told).map((remedy) => buttonOf(remedy));
    this.element.replaceChildren(element("strong", "", `${told.title}.`), text, ...remedies);
  }

  /**
   * @param {Problem} problem
   * @returns {Remedy[]}
   */
  #remediesOf({ status, violations }) {
    const { retry, canSplit, shorten, useBeams } = this.#remedies;
    /** @type {Remedy[]} */
    const remedies = PASSING.includes(status) ? [{ name: "Retry", apply: retry }] : [];
    for (const { description } of violations) {
      const outputs = TOO_FEW_BEAMS.exec(description)?.[1];
      if (HINT.test(description)) remedies.push({ name: canSplit() ? "Split it into parts" : "Cut its end", apply: shorten });
      if (outputs) remedies.push({ name: `Use ${outputs} beams`, apply: () => useBeams(Number(outputs)) });
    }
    return remedies;
  }
}

/** @param {Remedy} remedy */
export function buttonOf({ name, apply }) {
  const button = element("button", "quiet remedy", name);
  setAttributes(button, { type: "button" });
  button.addEventListener("click", apply);
  return button;
}

/**
 * A description with the page's names of fields, and without advice that a button gives.
 * @param {string} text
 */
const worded = (text) => text.replace(HINT, "").replace(FIELDS, (name) => LABELS[name]);
