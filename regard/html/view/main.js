/**
 * The self-contained page: reads its result, and shows it.
 */

import { element, listWarnings } from "./dom.js";
import { legible, readResult } from "./result.js";
import { Shade } from "./shade.js";
import { switchThemeWith } from "./theme.js";
import { View } from "./view.js";

const data = JSON.parse(document.getElementById("data")?.textContent ?? "{}");
const result = readResult(data.result);
const main = /** @type {HTMLElement} */ (document.querySelector("main"));

/** @param {number} ms */
const time = (ms) => (ms >= 10 ? ms.toFixed(0) : ms.toFixed(1));
const { queue, encode, decode } = result.timings;
const facts = [
  `${result.model} ${result.version}`.trim(),
  `queue ${time(queue)} ms, encode ${time(encode)} ms, decode ${time(decode)} ms`,
];
if (result.numTruncated) facts.push(`the last ${result.numTruncated} tokens of the source were dropped`);
document.querySelector("header .facts")?.append(...facts.map((fact) => element("span", "", fact)));

/** @returns {Promise<HTMLImageElement | null>} */
async function readPicture() {
  if (!data.picture) return null;
  const image = new Image();
  image.src = data.picture;
  await image.decode();
  return image;
}

const warnings = element("ul");
listWarnings(warnings, result.warnings.map(({ message }) => legible(message)));
const shade = new Shade();
shade.show(result);
main.append(warnings, shade.element);
const view = new View(main);
// The script precedes the numbers of large maps, so that the first map is visible while the browser parses them.
document.addEventListener("DOMContentLoaded", () => requestAnimationFrame(() => setTimeout(() => view.numbersArrived())));
view.show(result, await readPicture());

switchThemeWith(/** @type {HTMLElement} */ (document.querySelector("button.theme")), () => view.themeChanged());
