/**
 * Curves from the focused word to the words that it is aligned with, behind the text.
 */

const SVG = "http://www.w3.org/2000/svg";
const MAX_CURVES = 12;
const MIN_WEIGHT = 0.02;

export class Links {
  /** @param {HTMLElement} stage the element with the lines of words */
  constructor(stage) {
    this.#stage = stage;
    this.#svg = document.createElementNS(SVG, "svg");
    this.#svg.setAttribute("class", "links");
    this.#svg.setAttribute("aria-hidden", "true");
    stage.prepend(this.#svg);
  }

  /** @type {HTMLElement} */
  #stage;
  /** @type {SVGSVGElement} */
  #svg;

  clear() {
    this.#svg.replaceChildren();
  }

  /**
   * Draws the strongest curves from one word to others.
   * @param {HTMLElement} from
   * @param {{word: HTMLElement, weight: number}[]} others
   */
  draw(from, others) {
    const strongest = others.filter(({ weight }) => weight >= MIN_WEIGHT).sort((a, b) => b.weight - a.weight);
    const paths = strongest.slice(0, MAX_CURVES).map(({ word, weight }) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", this.#curve(from, word));
      path.style.strokeWidth = `${0.75 + 5 * weight}px`;
      path.style.strokeOpacity = String(0.2 + 0.7 * Math.min(weight, 1));
      return path;
    });
    this.#svg.replaceChildren(...paths);
  }

  /**
   * @param {HTMLElement} first
   * @param {HTMLElement} second
   */
  #curve(first, second) {
    const origin = this.#stage.getBoundingClientRect();
    const [upper, lower] = [first, second]
      .map((word) => word.getClientRects()[0] ?? word.getBoundingClientRect())
      .sort((a, b) => a.top - b.top);
    const [x1, y1] = [(upper.left + upper.right) / 2 - origin.left, upper.bottom - origin.top];
    const [x2, y2] = [(lower.left + lower.right) / 2 - origin.left, lower.top - origin.top];
    const bend = (y2 - y1) / 2;
    return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  }
}
