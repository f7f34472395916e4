/**
 * Helpers for elements. Text is inserted as text, never as markup.
 */

/**
 * Creates an element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className = "", ...children) {
  const created = document.createElement(tag);
  if (className) created.className = className;
  created.append(...children);
  return created;
}

/**
 * Sets an element's attributes; null removes one.
 * @param {Element} target
 * @param {Record<string, string | number | boolean | null>} attributes
 */
export function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) target.removeAttribute(name);
    else target.setAttribute(name, String(value));
  }
}

/**
 * What may be wrong with a result, as a list; hidden if nothing is.
 * @param {HTMLElement} list
 * @param {string[]} messages
 */
export function listWarnings(list, messages) {
  setAttributes(list, { class: "warnings", "aria-label": "Warnings" });
  list.hidden = messages.length === 0;
  list.replaceChildren(...messages.map((message) => element("li", "", message)));
}

/**
 * A group of radio buttons that looks like one control.
 * @template {string} Value
 */
export class Choice {
  /**
   * @param {string} label
   * @param {(value: Value) => void} onChange
   */
  constructor(label, onChange) {
    this.#onChange = onChange;
    this.#options = element("span", "choice-options");
    this.element = element("fieldset", "choice", element("legend", "", label), this.#options);
  }

  static #count = 0;
  /** @type {(value: Value) => void} */
  #onChange;
  /** @type {HTMLElement} */
  #options;
  #name = `choice-${Choice.#count++}`;

  /**
   * @param {[Value, string][]} options values and their names
   * @param {Value} chosen
   */
  show(options, chosen) {
    const current = [...this.#options.querySelectorAll("input")].map((input) => input.value).join();
    if (current !== options.map(([value]) => value).join()) {
      this.#options.replaceChildren(...options.map(([value, name]) => this.#option(value, name)));
    }
    for (const input of this.#options.querySelectorAll("input")) input.checked = input.value === chosen;
    this.element.hidden = options.length < 2;
  }

  /**
   * @param {Value} value
   * @param {string} name
   */
  #option(value, name) {
    const input = element("input");
    setAttributes(input, { type: "radio", name: this.#name, value });
    input.addEventListener("change", () => this.#onChange(value));
    return element("label", "", input, element("span", "", name));
  }
}

/**
 * A labelled list to choose from.
 */
export class Select {
  /**
   * @param {string} label
   * @param {(value: string) => void} onChange
   */
  constructor(label, onChange) {
    this.select = element("select");
    this.element = element("label", "field", element("span", "", label), this.select);
    this.select.addEventListener("change", () => onChange(this.select.value));
  }

  /**
   * @param {[string, string][]} options values and their names
   * @param {string} chosen
   */
  show(options, chosen) {
    const current = [...this.select.options].map((option) => `${option.value} ${option.text}`).join("\n");
    if (current !== options.map((option) => option.join(" ")).join("\n")) {
      this.select.replaceChildren(...options.map(([value, name]) => new Option(name, value)));
    }
    this.select.value = chosen;
  }
}
