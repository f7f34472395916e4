/**
 * All heads of a map at a glance, each a button that chooses it.
 */

import { element, setAttributes } from "./dom.js";
import { imageOf } from "./matrix.js";
import { matrixOf } from "./weights.js";

export class Heads {
  /** @param {(layer: number | null, head: number | null) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.element = element("div", "heads");
    setAttributes(this.element, { role: "group", "aria-label": "Layers and heads" });
  }

  /** @type {(layer: number | null, head: number | null) => void} */
  #onChoose;
  /** @type {{button: HTMLButtonElement, layer: number, head: number}[]} */
  #buttons = [];

  /**
   * @param {import("./weights.js").AttentionMap} map
   * @param {import("./theme.js").Colours} colours
   */
  show(map, colours) {
    this.element.hidden = !map.hasHeads;
    this.#buttons = [];
    this.element.replaceChildren();
    if (!map.hasHeads) return;
    this.element.style.setProperty("--heads", String(map.heads.length));
    this.element.append(element("span"), ...map.heads.map((head) => element("span", "heads-label", `head ${head}`)));
    for (const layer of map.layers) {
      this.element.append(element("span", "heads-label", `layer ${layer}`));
      for (const head of map.heads) this.element.append(this.#button(map, layer, head, colours));
    }
  }

  /**
   * @param {import("./weights.js").AttentionMap} map
   * @param {number} layer
   * @param {number} head
   * @param {import("./theme.js").Colours} colours
   */
  #button(map, layer, head, colours) {
    const image = imageOf(matrixOf(map, layer, head), map.rows, map.columns, 1, 0, colours);
    const button = element("button", "head", image);
    setAttributes(button, { type: "button", "aria-label": `Layer ${layer}, head ${head}`, "aria-pressed": false });
    button.addEventListener("click", () => {
      const wasChosen = button.getAttribute("aria-pressed") === "true";
      this.#onChoose(wasChosen ? null : layer, wasChosen ? null : head);
    });
    this.#buttons.push({ button, layer, head });
    return button;
  }

  /**
   * Marks the head that the heatmap shows; null is the average of all.
   * @param {number | null} layer
   * @param {number | null} head
   */
  mark(layer, head) {
    for (const each of this.#buttons) {
      each.button.setAttribute("aria-pressed", String(each.layer === layer && each.head === head));
    }
  }
}
