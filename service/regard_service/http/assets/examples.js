/**
 * Examples to click.
 */

import { element, setAttributes } from "./view/dom.js";

/** @typedef {import("./tasks.js").Task} Task */
/** @typedef {import("./composer.js").Call["format"]} Format */

/**
 * @typedef {object} Example
 * @property {string} name
 * @property {string} [text]
 * @property {Format} [format]
 * @property {string} [picture] address
 */

/** The first of a task is the one that the form begins with.
 * @type {Record<Task, Example[]>} */
export const EXAMPLES = {
  translate: [
    { name: "A sentence", text: "Could you tell me where the library is?" },
    {
      name: "Numbers and addresses",
      text:
        "Dear {name}, your order of 3 books costs $42.50. Please write to help@example.org before 15 May, or read " +
        "https://example.org/orders?id=7. The code is AB-123-X.",
    },
    {
      name: "A page",
      text:
        "The new garden\n\nOur school has a new garden. It is behind the old house, and everyone is welcome.\n\n" +
        "You can help:\n- Bring some water.\n- Plant a tree with your friends.\n- Take photos and send them to us.\n\n" +
        "We open at 9:00 on Saturday. Children must come with an adult.\n",
    },
    {
      name: "HTML",
      format: "html",
      text:
        "<h1>Our new house</h1>\n<p>The <b>red</b> door is <a href=\"https://example.org/door\">behind the garden</a>.</p>\n" +
        "<ul>\n  <li>It has <em>two</em> windows.</li>\n  <li>The kitchen is small &amp; warm.</li>\n</ul>\n",
    },
    { name: "Capitals", text: "THE CHILDREN ARE PLAYING IN THE GARDEN" },
  ],
  summarize: [
    {
      name: "A notice",
      text:
        "All staff, please note that the office will be closed on Friday while the heating is repaired. " +
        "The work begins at seven and should be finished in the evening. If you need anything from your desk over the " +
        "weekend, please take it with you on Thursday. The office opens again on Monday at the usual time.",
    },
  ],
  caption: [
    { name: "A cat", picture: "/assets/cat.jpg" },
    { name: "A rocket", picture: "/assets/rocket.jpg" },
  ],
  classify: [
    { name: "A review", text: "I liked this book, although the ending came too soon." },
    { name: "A cat", picture: "/assets/cat.jpg" },
    { name: "A rocket", picture: "/assets/rocket.jpg" },
  ],
  encode: [
    {
      name: "Four sentences",
      text:
        "Where is the library?\nHow do I get to the library?\nThe children are playing in the garden.\n" +
        "Some boys and girls are outside.",
    },
  ],
  "fill-mask": [{ name: "A mask", text: "Could you tell me where the [MASK] is?" }],
  detect: [
    { name: "A drawn scene", picture: "/assets/scene.png" },
    { name: "A cat", picture: "/assets/cat.jpg" },
    { name: "A rocket", picture: "/assets/rocket.jpg" },
  ],
  answer: [
    { name: "A cat", picture: "/assets/cat.jpg", text: "What colour is the cat?" },
    { name: "A rocket", picture: "/assets/rocket.jpg", text: "What is in the picture?" },
  ],
};

/** The examples of a task as buttons. */
export class Examples {
  /** @param {(example: Example) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.element = element("div", "examples");
    setAttributes(this.element, { role: "group", "aria-label": "Examples" });
  }

  /** @type {(example: Example) => void} */
  #onChoose;

  /**
   * @param {Task} task
   * @param {boolean} hasPicture whether the chosen model reads pictures
   */
  show(task, hasPicture) {
    const fitting = EXAMPLES[task].filter(({ picture }) => Boolean(picture) === hasPicture);
    this.element.replaceChildren(element("span", "", "Examples"), ...fitting.map((example) => this.#button(example)));
  }

  /** @param {Example} example */
  #button(example) {
    const button = element("button", "example", example.name);
    button.type = "button";
    button.addEventListener("click", () => this.#onChoose(example));
    return button;
  }
}
