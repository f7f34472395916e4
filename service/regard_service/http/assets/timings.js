/**
 * How long an answer took, and which model made it.
 */

import { buttonOf } from "./problems.js";
import { element, setAttributes } from "./view/dom.js";

/** @typedef {import("./view/result.js").Result} Result */

export class Timings {
  /** @param {Pick<import("./problems.js").Remedies, "canSplit" | "shorten">} remedies of a text that was cut */
  constructor(remedies) {
    this.#remedies = remedies;
    this.element = element("div", "timings");
    setAttributes(this.element, { role: "status", "aria-label": "Timings" });
  }

  /** @type {Pick<import("./problems.js").Remedies, "canSplit" | "shorten">} */
  #remedies;

  /** @param {string} state instead of timings */
  say(state) {
    this.element.replaceChildren(...(state ? [element("span", "", state)] : []));
  }

  /** @param {Result} result */
  show(result) {
    const { queue, encode, decode } = result.timings;
    const parts = /** @type {[string, number, string][]} */ ([
      ["queue", queue, "var(--quiet)"],
      ["encode", encode, "var(--mark)"],
      ["decode", decode, "var(--accent)"],
    ]);
    const shares = element("span", "shares");
    shares.setAttribute("aria-hidden", "true");
    const labels = parts.map(([name, ms, colour]) => {
      const share = element("span");
      share.style.flex = `${ms} 0 0`;
      share.style.background = colour;
      shares.append(share);
      const dot = element("span", "dot");
      dot.style.background = colour;
      return element("span", "", dot, `${name} ${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`);
    });
    const model = element("span", "", `${result.model} ${result.version}`);
    this.element.replaceChildren(shares, ...labels, model, ...languageOf(result), ...this.#dropped(result));
  }

  /** @param {Result} result */
  #dropped({ numTruncated }) {
    if (!numTruncated) return [];
    const said = element("span", "", `the last ${numTruncated} tokens were too many and were dropped`);
    const { canSplit, shorten } = this.#remedies;
    return [said, ...(canSplit() ? [buttonOf({ name: "Split it into parts", apply: shorten })] : [])];
  }
}

/**
 * The language that the server found, if it was to find it and did.
 * @param {Result} result
 */
function languageOf({ language, confidence }) {
  if (!language) return [];
  const name = new Intl.DisplayNames(["en"], { type: "language" }).of(language) ?? language;
  return [element("span", "", `detected ${name}, ${Math.round(100 * confidence)} % sure`)];
}
