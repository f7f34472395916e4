/**
 * The form: which model does what with which input, and how.
 */

import { Choice, element, Select, setAttributes } from "./view/dom.js";

/**
 * What the form says.
 * @typedef {object} Call
 * @property {"translate" | "summarize" | "caption"} task
 * @property {boolean} streams
 * @property {string} text
 * @property {File | null} picture
 * @property {string} model
 * @property {string} to language to translate into, or style of a summary
 * @property {number | null} beams
 * @property {number | null} hypotheses
 * @property {boolean} words
 * @property {string[]} kinds of map
 */

/** @type {Record<string, {task: Call["task"], name: string}>} */
const TASKS = {
  TASK_TRANSLATION: { task: "translate", name: "Translate" },
  TASK_SUMMARIZATION: { task: "summarize", name: "Summarize" },
  TASK_CAPTIONING: { task: "caption", name: "Caption" },
};

/** @type {Record<string, string>} */
const EXAMPLES = {
  translate: "Could you tell me where the library is?",
  summarize:
    "All staff, please note that the office will be closed on Friday while the heating is repaired. " +
    "The work begins at seven and should be finished in the evening. If you need anything from your desk over the " +
    "weekend, please take it with you on Thursday. The office opens again on Monday at the usual time.",
};

const LINEAR_KINDS = ["ATTENTION_KIND_ALIGNMENT", "ATTENTION_KIND_CROSS", "ATTENTION_KIND_ROLLOUT"];
const LONGEST_FOR_ALL_KINDS = 600; // characters

export class Composer {
  /**
   * @param {any[]} models as the server lists them
   * @param {(byButton: boolean) => void} onRun
   * @param {() => void} onChange
   */
  constructor(models, onRun, onChange) {
    this.#models = models.filter((model) => model.state === "MODEL_STATE_READY" && model.task in TASKS);
    this.#onChange = onChange;
    this.#task = new Choice("Task", (/** @type {Call["task"]} */ task) => this.#choose(task));
    this.#model = new Select("Model", () => this.#showLanguages());
    this.#to = new Select("To", onChange);
    this.#beams = number("Beams", 1, 16);
    this.#hypotheses = number("Outputs", 1, 16);
    this.#units = new Choice("Units", (/** @type {string} */ units) => {
      this.#words = units === "words";
      this.#units.show(UNITS, units);
      onChange();
    });
    this.#stream = element("input");
    setAttributes(this.#stream, { type: "checkbox", checked: "" });
    this.#text = element("textarea");
    setAttributes(this.#text, { "aria-label": "Text", spellcheck: "true", dir: "auto" });
    this.#drop = this.#dropZone();
    this.run = element("button", "run", "Translate");
    this.run.type = "submit";
    this.element = this.#form(onRun);
    this.#units.show(UNITS, "words");
    this.#choose(this.#tasks()[0]?.[0] ?? "translate");
  }

  /** @type {any[]} */ #models;
  /** @type {() => void} */ #onChange;
  /** @type {Choice<any>} */ #task;
  /** @type {Select} */ #model;
  /** @type {Select} */ #to;
  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #beams;
  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #hypotheses;
  /** @type {Choice<any>} */ #units;
  /** @type {HTMLInputElement} */ #stream;
  /** @type {HTMLTextAreaElement} */ #text;
  /** @type {HTMLElement} */ #drop;
  /** @type {Call["task"]} */ #chosen = "translate";
  #words = true;
  /** @type {File | null} */ #picture = null;

  /** @returns {Call} */
  call() {
    const numberOf = (/** @type {HTMLInputElement} */ input) => (input.value === "" ? null : Number(input.value));
    return {
      task: this.#chosen,
      streams: this.#stream.checked,
      text: this.#text.value,
      picture: this.#picture,
      model: this.#model.select.value,
      to: this.#to.select.value,
      beams: numberOf(this.#beams.input),
      hypotheses: numberOf(this.#hypotheses.input),
      words: this.#words,
      kinds: this.#kinds(),
    };
  }

  /** Every kind of map that the model offers; of a long text only the kinds whose size does not grow with its square. */
  #kinds() {
    const model = this.#ofTask().find(({ name }) => name === this.#model.select.value);
    const offered = (model?.attention_kinds ?? []).map((/** @type {any} */ layout) => layout.kind);
    const isLong = this.#chosen !== "caption" && this.#text.value.length > LONGEST_FOR_ALL_KINDS;
    return offered.filter((/** @type {string} */ kind) => !isLong || LINEAR_KINDS.includes(kind));
  }

  /** Whether there is anything to send. */
  get isReady() {
    return this.#chosen === "caption" ? this.#picture !== null : this.#text.value.trim() !== "";
  }

  /** What the button says. */
  get name() {
    return this.#tasks().find(([task]) => task === this.#chosen)?.[1] ?? "Run";
  }

  /** @param {(byButton: boolean) => void} onRun */
  #form(onRun) {
    const stream = element("label", "check", this.#stream, element("span", "", "Stream"));
    const top = element("div", "row", this.#task.element, this.#model.element, this.#to.element);
    const bottom = element(
      "div",
      "row",
      this.#beams.element,
      this.#hypotheses.element,
      this.#units.element,
      stream,
      this.run,
    );
    const form = element("form", "composer", top, this.#text, this.#drop, bottom);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onRun(event.submitter !== null);
    });
    form.addEventListener("input", this.#onChange);
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) onRun(true);
    });
    return form;
  }

  /** @returns {[Call["task"], string][]} */
  #tasks() {
    const there = Object.keys(TASKS).filter((task) => this.#models.some((model) => model.task === task));
    return there.map((task) => [TASKS[task].task, TASKS[task].name]);
  }

  /** @param {Call["task"]} task */
  #choose(task) {
    const tasks = this.#tasks();
    if (EXAMPLES[this.#chosen] === this.#text.value || !this.#text.value) this.#text.value = EXAMPLES[task] ?? "";
    this.#chosen = task;
    this.#task.show(tasks, task);
    this.#text.hidden = task === "caption";
    this.#drop.hidden = task !== "caption";
    this.run.textContent = this.name;
    const models = this.#ofTask();
    const standard = models.find((model) => model.is_default) ?? models[0];
    this.#model.show(models.map((model) => [model.name, model.name]), standard?.name ?? "");
    this.#showLanguages();
  }

  #ofTask() {
    return this.#models.filter((model) => TASKS[model.task].task === this.#chosen);
  }

  /** The languages or styles of the chosen model; hidden if there is nothing to choose. */
  #showLanguages() {
    const model = this.#ofTask().find(({ name }) => name === this.#model.select.value);
    const names = new Intl.DisplayNames(["en"], { type: "language" });
    /** @type {[string, string][]} */
    const languages = (model?.target_languages ?? []).map((/** @type {string} */ code) => [code, names.of(code) ?? code]);
    /** @type {[string, string][]} */
    const styles = (model?.styles ?? []).map((/** @type {string} */ style) => [style, style]);
    const options = this.#chosen === "translate" ? languages : styles;
    const label = /** @type {HTMLElement} */ (this.#to.element.firstElementChild);
    label.textContent = this.#chosen === "translate" ? "To" : "Style";
    const before = this.#to.select.value;
    this.#to.show(options, options.some(([value]) => value === before) ? before : (options[0]?.[0] ?? ""));
    this.#to.element.hidden = this.#chosen === "caption" || options.length === 0;
    this.#beams.input.placeholder = String(model?.generation_defaults?.num_beams ?? 1);
    this.#hypotheses.input.placeholder = "1";
    this.#onChange();
  }

  /** Where a picture is dropped, pasted or chosen. */
  #dropZone() {
    const input = element("input", "hidden");
    setAttributes(input, { type: "file", accept: "image/jpeg,image/png,image/webp", "aria-label": "Picture" });
    const preview = element("img");
    preview.hidden = true;
    preview.alt = ""; // its name stands below it
    preview.addEventListener("error", () => (preview.hidden = true));
    const hint = element("span", "", "Drop a picture here, paste one, or choose a file (JPEG, PNG or WebP).");
    const zone = element("label", "drop", input, preview, hint);
    const take = (/** @type {File | undefined} */ file) => {
      if (!file) return;
      this.#picture = file;
      preview.src = URL.createObjectURL(file);
      preview.hidden = false;
      hint.textContent = file.name;
      this.#onChange();
      this.element.requestSubmit();
    };
    input.addEventListener("change", () => take(input.files?.[0]));
    this.#takeDropped(zone, take);
    document.addEventListener("paste", (event) => {
      if (this.#chosen === "caption") take(event.clipboardData?.files[0]);
    });
    return zone;
  }

  /**
   * Takes a picture wherever on the page it is dropped; a browser would leave the page for it otherwise.
   * @param {HTMLElement} zone what shows that it will be taken
   * @param {(file: File | undefined) => void} take
   */
  #takeDropped(zone, take) {
    const captions = () => this.#tasks().some(([task]) => task === "caption");
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.add("over");
    });
    document.addEventListener("dragleave", () => zone.classList.remove("over"));
    document.addEventListener("drop", (event) => {
      const file = event.dataTransfer?.files[0];
      zone.classList.remove("over");
      if (!file) return;
      event.preventDefault();
      if (!captions()) return;
      if (this.#chosen !== "caption") this.#choose("caption");
      take(file);
    });
  }
}

/** @type {[string, string][]} */
const UNITS = [
  ["words", "Words"],
  ["tokens", "Tokens"],
];

/**
 * @param {string} label
 * @param {number} least
 * @param {number} most
 */
function number(label, least, most) {
  const input = element("input");
  setAttributes(input, { type: "number", min: least, max: most, step: 1, inputmode: "numeric" });
  return { element: element("label", "field", element("span", "", label), input), input };
}
