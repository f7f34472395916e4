/**
 * Colours of weights. The ramps are those of regard/plots/theme.py, which says how they are designed; a test compares them.
 */

/** @typedef {"light" | "dark"} ThemeName */

/** @type {Record<ThemeName, string[]>} */
export const RAMPS = {
  light: ["#eff5f7", "#bae1ed", "#84cde4", "#57b2db", "#3696d4", "#2b77c2", "#2959aa", "#243f88", "#1a2766"],
  dark: ["#1b1f2b", "#233359", "#1d4d81", "#006f95", "#00909f", "#25af9d", "#74c792", "#b6dc91", "#eff1a1"],
};

const STEPS = 256;

/** The colours of one theme: a table of steps from weight 0 to the largest. */
export class Colours {
  /** @param {ThemeName} name */
  constructor(name) {
    this.name = name;
    /** RGBA, four bytes per step. */
    this.table = new Uint8ClampedArray(4 * STEPS).fill(255);
    /** The same as one number per step, the form of a canvas' pixels. */
    this.pixels = new Uint32Array(this.table.buffer);
    const anchors = RAMPS[name].map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
    for (let step = 0; step < STEPS; step++) {
      const position = (step / (STEPS - 1)) * (anchors.length - 1);
      const low = Math.min(Math.floor(position), anchors.length - 2);
      for (let channel = 0; channel < 3; channel++) {
        const [from, to] = [anchors[low][channel], anchors[low + 1][channel]];
        this.table[4 * step + channel] = from + (to - from) * (position - low);
      }
    }
  }

  /**
   * The step of a weight's colour.
   * @param {number} share the weight divided by the largest, from 0 to 1
   */
  step(share) {
    return Math.round(Math.min(Math.max(share, 0), 1) * (STEPS - 1));
  }

  /** @param {number} share */
  css(share) {
    const at = 4 * this.step(share);
    return `rgb(${this.table[at]} ${this.table[at + 1]} ${this.table[at + 2]})`;
  }

  /**
   * The colour of readable text on a weight's colour.
   * @param {number} share
   */
  ink(share) {
    const at = 4 * this.step(share);
    const [red, green, blue] = [0, 1, 2].map((channel) => (this.table[at + channel] / 255) ** 2.2);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.2 ? "#10131a" : "#ffffff";
  }

  /** The whole ramp, from left to right. */
  gradient() {
    return `linear-gradient(to right, ${RAMPS[this.name].join(", ")})`;
  }
}

/**
 * The page's theme: that of its root element, or else the preference of the reader's system.
 * @returns {ThemeName}
 */
export function themeNow() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/**
 * Makes a button switch between light and dark.
 * @param {HTMLElement} button
 * @param {() => void} onSwitch
 */
export function switchThemeWith(button, onSwitch) {
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = themeNow() === "dark" ? "light" : "dark";
    onSwitch();
  });
}
