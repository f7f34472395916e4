/**
 * What a call of one step may say about its answer: how many labels, from which probability, how a vector is pooled, and
 * whether what the map points at is checked.
 */

import { element, Select, setAttributes } from "./view/dom.js";

/** @typedef {import("./tasks.js").Description} Description */

/** @type {[string, string][]} */
const POOLINGS = [
  ["", "As the model does"],
  ["POOLING_MEAN", "Mean"],
  ["POOLING_CLASS", "Class token"],
  ["POOLING_MAX", "Largest"],
];

/** @type {Record<string, [string, string]>} what the API takes where a call does not say how many, and from which probability */
const DEFAULTS = {
  classify: ["all", "0"],
  "fill-mask": ["5", ""],
  detect: ["100", "0.5"],
  answer: ["5", "0"],
};

export class Limits {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#most = numberField("At most", { min: 1, max: 1000, step: 1, inputmode: "numeric" });
    this.#threshold = numberField("Threshold", { min: 0, max: 1, step: "any", inputmode: "decimal" });
    this.#pooling = new Select("Pooling", onChange);
    this.#pooling.show(POOLINGS, "");
    this.#check = element("input");
    setAttributes(this.#check, { type: "checkbox" });
    this.#check.addEventListener("change", onChange);
    this.#checkField = element("label", "check", this.#check, "Check the map");
    this.elements = [this.#most.element, this.#threshold.element, this.#pooling.element, this.#checkField];
  }

  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #most;
  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #threshold;
  /** @type {Select} */ #pooling;
  /** @type {HTMLInputElement} */ #check;
  /** @type {HTMLElement} */ #checkField;

  /**
   * What a call of the task says.
   * @param {Description} description
   * @param {string[]} kinds of map that the model offers; without the one to check, occlusion is checked
   * @returns {{most: number | null, threshold: number | null, pooling: string, evidence: string[]}}
   */
  values({ task, hasMost, hasThreshold, checkedKind }, kinds) {
    const evidence = kinds.includes(checkedKind) ? checkedKind.replace("ATTENTION_KIND", "EVIDENCE") : "EVIDENCE_OCCLUSION";
    return {
      most: hasMost ? numberOf(this.#most.input) : null,
      threshold: hasThreshold ? numberOf(this.#threshold.input) : null,
      pooling: task === "encode" ? this.#pooling.select.value : "",
      evidence: checkedKind && this.#check.checked ? [evidence, "EVIDENCE_RANDOM"] : [],
    };
  }

  /** @param {Description} description */
  show({ task, hasMost, hasThreshold, checkedKind }) {
    this.#most.element.hidden = !hasMost;
    this.#threshold.element.hidden = !hasThreshold;
    [this.#most.input.placeholder, this.#threshold.input.placeholder] = DEFAULTS[task] ?? ["", ""];
    this.#pooling.element.hidden = task !== "encode";
    this.#checkField.hidden = !checkedKind;
  }

  /** @param {URLSearchParams} state of the address */
  restore(state) {
    this.#most.input.value = state.get("most") ?? "";
    this.#threshold.input.value = state.get("threshold") ?? "";
    this.#check.checked = state.get("check") === "yes";
    const pooling = state.get("pooling");
    if (POOLINGS.some(([value]) => value === pooling)) this.#pooling.select.value = pooling ?? "";
  }
}

/**
 * The number in a field; null if it is empty.
 * @param {HTMLInputElement} input
 */
export const numberOf = (input) => (input.value === "" ? null : Number(input.value));

/**
 * A labelled field for a number.
 * @param {string} label
 * @param {Record<string, string | number>} bounds attributes of the field
 */
export function numberField(label, bounds) {
  const input = element("input");
  setAttributes(input, { type: "number", ...bounds });
  return { element: element("label", "field", element("span", "", label), input), input };
}
