/**
 * The form: which model does what with which input, and how.
 */

import { getFile, Problem } from "./api.js";
import { Card } from "./card.js";
import { ENDINGS } from "./documents.js";
import { EXAMPLES, Examples } from "./examples.js";
import { Limits, numberField, numberOf } from "./limits.js";
import { isLong } from "./requests.js";
import { described, readsPicture, readsText, TASKS } from "./tasks.js";
import { Choice, element, Select, setAttributes } from "./view/dom.js";

/**
 * What the form says.
 * @typedef {object} Call
 * @property {import("./tasks.js").Task} task
 * @property {import("./tasks.js").Reads} reads what the model reads
 * @property {boolean} streams
 * @property {boolean} isStreamChosen whether the form says so; some calls do not stream all the same
 * @property {string} text
 * @property {"plain" | "html" | "xml"} format of the text
 * @property {File | null} picture
 * @property {string} model
 * @property {string} beside another model whose answer is shown beside; "" if none is
 * @property {{kinds: string[], hasConfidence: boolean, from: string, to: string}} besideOptions what its call differs in
 * @property {"" | "TRUNCATION_SPLIT_AND_JOIN" | "TRUNCATION_TRUNCATE" | "TRUNCATION_REJECT"} tooLong what happens to a
 *   text that is too long; "" if the model decides
 * @property {string} from language of the text; "" if the model's own, "auto" if the server shall find it
 * @property {string} to language to translate into, or style of a summary
 * @property {number | null} beams
 * @property {number | null} hypotheses
 * @property {number | null} most how many labels, pieces or boxes; null if the model decides
 * @property {number | null} threshold least probability; null if the model decides
 * @property {string} pooling of vectors; "" if the model decides
 * @property {string[]} evidence whose worth is checked
 * @property {boolean} words
 * @property {string[]} kinds of map
 * @property {string} [prefix] how the output is to begin
 * @property {boolean} [hasConfidence] whether the model says how sure it is of each word
 */

const FILE_HINT = "Translate a file: drop it here, or choose one";

const LINEAR_KINDS = ["ATTENTION_KIND_ALIGNMENT", "ATTENTION_KIND_CROSS", "ATTENTION_KIND_ROLLOUT"];

/**
 * What the form tells the page.
 * @typedef {object} Listener
 * @property {() => void} onRun
 * @property {() => void} onStop
 * @property {() => void} onChange
 * @property {(task: Call["task"]) => void} onTask another task was chosen
 * @property {(file: File) => void} onDocument a file to translate was dropped or chosen
 * @property {(error: unknown) => void} onError
 */

export class Composer {
  /**
   * @param {any[]} models as the server lists them
   * @param {Listener} listener
   */
  constructor(models, listener) {
    this.#models = models.filter((model) => model.state === "MODEL_STATE_READY" && model.task in TASKS);
    this.#listener = listener;
    const onChange = () => listener.onChange();
    this.#task = new Choice("Task", (/** @type {Call["task"]} */ task) => this.#choose(task));
    this.#model = new Select("Model", () => this.#showLanguages());
    this.#beside = new Select("Compare with", onChange);
    this.#tooLong = new Select("Long texts", onChange);
    this.#tooLong.show(TOO_LONG, "");
    this.#from = new Select("From", onChange);
    this.#to = new Select("To", () => this.#showBeside());
    this.#beams = numberField("Beams", AS_MANY);
    this.#hypotheses = numberField("Outputs", AS_MANY);
    this.#limits = new Limits(onChange);
    this.#units = new Choice("Units", (/** @type {string} */ units) => {
      this.#words = units === "words";
      this.#units.show(UNITS, units);
      onChange();
    });
    this.#stream = element("input");
    setAttributes(this.#stream, { type: "checkbox", checked: "" });
    this.#text = element("textarea");
    setAttributes(this.#text, { "aria-label": "Text", spellcheck: "true", dir: "auto" });
    this.#format = new Choice("Format", (/** @type {Call["format"]} */ format) => this.#setFormat(format));
    this.#examples = new Examples((example) => this.#take(example));
    this.#drop = this.#dropZone();
    this.#fileChoice = this.#fileField();
    this.#takeDropped();
    this.#run = element("button", "run", "Translate");
    this.#run.type = "submit";
    this.#stop = element("button", "stop", "Stop");
    this.#stop.type = "button";
    this.#stop.hidden = true;
    this.#stop.addEventListener("click", () => listener.onStop());
    this.element = this.#form();
    this.#units.show(UNITS, "words");
    this.#setFormat("plain");
    this.#choose(this.#tasks()[0]?.[0] ?? "translate");
  }

  /** @type {any[]} */ #models;
  /** @type {Listener} */ #listener;
  /** @type {Choice<any>} */ #task;
  /** @type {Select} */ #model;
  /** @type {Select} */ #beside;
  /** @type {Select} */ #tooLong;
  #card = new Card();
  #streamField = element("label", "check");
  #maskToken = MASK;
  /** @type {HTMLButtonElement} */ #run;
  /** @type {HTMLButtonElement} */ #stop;
  /** @type {Map<Call["task"], Call>} what the form said when another task was chosen */ #kept = new Map();
  /** @type {Select} */ #from;
  /** @type {Select} */ #to;
  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #beams;
  /** @type {{element: HTMLElement, input: HTMLInputElement}} */ #hypotheses;
  /** @type {Limits} */ #limits;
  /** @type {Choice<any>} */ #units;
  /** @type {HTMLInputElement} */ #stream;
  /** @type {HTMLTextAreaElement} */ #text;
  /** @type {Choice<any>} */ #format;
  /** @type {Call["format"]} */ #chosenFormat = "plain";
  /** @type {Examples} */ #examples;
  /** @type {HTMLElement} */ #drop;
  /** @type {HTMLElement} */ #fileChoice;
  #fileHint = element("span", "", FILE_HINT);
  /** @type {(file: File) => void} */ #takePicture = () => {};
  /** @type {Call["task"]} */ #chosen = "translate";
  #words = true;
  /** @type {File | null} */ #picture = null;

  /** @returns {Call} */
  call() {
    const reads = this.#reads;
    const { isOneStep } = described(this.#chosen);
    const tooLong = /** @type {Call["tooLong"]} */ (readsText(reads) ? this.#tooLong.select.value : "");
    // The parts of a summary are joined at the end: there is nothing to stream.
    const cannotStream = this.#chosen === "summarize" && tooLong === SPLIT;
    const model = this.#modelOf(this.#model.select.value);
    return {
      task: this.#chosen,
      reads,
      streams: this.#stream.checked && !cannotStream && !isOneStep,
      isStreamChosen: this.#stream.checked,
      text: this.#text.value,
      format: this.#chosen === "translate" ? this.#chosenFormat : "plain",
      picture: this.#picture,
      model: this.#model.select.value,
      beside: this.#beside.select.value,
      besideOptions: this.#besideOptions(),
      tooLong,
      from: this.#chosen === "translate" ? this.#from.select.value : "",
      to: this.#to.select.value,
      beams: isOneStep ? null : numberOf(this.#beams.input),
      hypotheses: isOneStep ? null : numberOf(this.#hypotheses.input),
      ...this.#limits.values(described(this.#chosen), this.#kindsOf(model)),
      words: this.#words,
      kinds: this.#kindsOf(model),
      hasConfidence: Boolean(model?.has_confidence),
    };
  }

  /** Options of the call to the other model. */
  #besideOptions() {
    const other = this.#modelOf(this.#beside.select.value);
    const [from, to] = [this.#from.select.value, this.#to.select.value];
    return {
      kinds: this.#kindsOf(other),
      hasConfidence: Boolean(other?.has_confidence),
      from: this.#chosen === "translate" && (from === "auto" || (other?.source_languages ?? []).includes(from)) ? from : "",
      to: this.#chosen === "translate" || (other?.styles ?? []).includes(to) ? to : "",
    };
  }

  /** @param {string} name */
  #modelOf(name) {
    return this.#ofTask().find((model) => model.name === name);
  }

  /**
   * Takes what an address says; what this server does not offer is left out.
   * @param {URLSearchParams} state
   */
  restore(state) {
    const task = this.#tasks().find(([offered]) => offered === state.get("task"))?.[0];
    if (!task) return;
    this.#choose(task);
    const choose = (/** @type {Select} */ { select }, /** @type {string} */ name) => {
      const value = state.get(name);
      if (value !== null && [...select.options].some((option) => option.value === value)) select.value = value;
    };
    choose(this.#model, "model");
    this.#showLanguages();
    choose(this.#from, "from");
    choose(this.#to, "to");
    this.#showBeside();
    choose(this.#beside, "beside");
    choose(this.#tooLong, "long");
    this.#beams.input.value = state.get("beams") ?? "";
    this.#hypotheses.input.value = state.get("outputs") ?? "";
    this.#limits.restore(state);
    this.#words = state.get("units") !== "tokens";
    this.#units.show(UNITS, this.#words ? "words" : "tokens");
    this.#stream.checked = state.get("stream") !== "no";
    if (state.has("text")) this.#text.value = state.get("text") ?? "";
    const format = FORMATS.find(([offered]) => offered === state.get("format"))?.[0];
    if (format && task === "translate") this.#setFormat(format);
    this.#listener.onChange();
  }

  /** Has the form say that a text that is too long is split; in tasks that cannot join the parts' answers, cut. */
  shorten() {
    this.#tooLong.select.value = described(this.#chosen).isOneStep ? "TRUNCATION_TRUNCATE" : SPLIT;
    this.#listener.onChange();
  }

  /** @param {number} beams */
  useBeams(beams) {
    this.#beams.input.value = String(beams);
    this.#listener.onChange();
  }

  /** @param {boolean} isRunning whether there is a call to stop */
  set isRunning(isRunning) {
    this.#stop.hidden = !isRunning;
  }

  /**
   * Every kind of map that a model offers; of a long text only the kinds whose size does not grow with its square.
   * @param {any} model
   */
  #kindsOf(model) {
    const offered = (model?.attention_kinds ?? []).map((/** @type {any} */ layout) => layout.kind);
    const few = isLong({ reads: this.#reads, text: this.#text.value });
    const { hiddenKinds } = described(this.#chosen);
    const shown = offered.filter((/** @type {string} */ kind) => !hiddenKinds.includes(kind));
    return shown.filter((/** @type {string} */ kind) => !few || LINEAR_KINDS.includes(kind));
  }

  /** Whether there is anything to send. */
  get isReady() {
    const hasText = !readsText(this.#reads) || this.#text.value.trim() !== "";
    return hasText && (!readsPicture(this.#reads) || this.#picture !== null);
  }

  /** What the chosen model reads. */
  get #reads() {
    return described(this.#chosen).reads(this.#modelOf(this.#model.select.value));
  }

  /** The task that is chosen. */
  get task() {
    return this.#chosen;
  }

  #form() {
    this.#streamField.append(this.#stream, element("span", "", "Stream"));
    const top = element(
      "div",
      "row",
      this.#task.element,
      this.#model.element,
      this.#beside.element,
      element("div", "languages", this.#from.element, this.#to.element),
      this.#format.element,
    );
    const extras = element("div", "row extras", this.#examples.element, this.#fileChoice);
    const bottom = element(
      "div",
      "row",
      this.#beams.element,
      this.#hypotheses.element,
      ...this.#limits.elements,
      this.#units.element,
      this.#tooLong.element,
      this.#streamField,
      this.#stop,
      this.#run,
    );
    const form = element("form", "composer", top, this.#card.element, this.#text, this.#drop, extras, bottom);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#listener.onRun();
    });
    form.addEventListener("input", () => this.#listener.onChange());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#listener.onRun();
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
    if (task !== this.#chosen) this.#kept.set(this.#chosen, this.call());
    const isExample = EXAMPLES[this.#chosen].some(({ text }) => text?.replaceAll(MASK, this.#maskToken) === this.#text.value);
    if (isExample || !this.#text.value) this.#text.value = EXAMPLES[task][0].text ?? "";
    this.#maskToken = MASK;
    this.#chosen = task;
    this.#setFormat("plain");
    this.#fileChoice.hidden = task !== "translate";
    this.#task.show(tasks, task);
    const description = described(task);
    const ways = description.isOneStep ? TOO_LONG.filter(([way]) => way !== SPLIT) : TOO_LONG;
    this.#tooLong.show(ways, description.isOneStep ? "" : this.#tooLong.select.value);
    this.#beams.element.hidden = this.#hypotheses.element.hidden = this.#streamField.hidden = description.isOneStep;
    this.#limits.show(description);
    this.#run.textContent = tasks.find(([each]) => each === task)?.[1] ?? "Run";
    const models = this.#ofTask();
    const standard = models.find((model) => model.is_default) ?? models[0];
    this.#model.show(models.map((model) => [model.name, model.name]), standard?.name ?? "");
    this.#showLanguages();
    const kept = this.#kept.get(task);
    if (kept) this.#recall(kept);
    this.#listener.onTask(task);
  }

  /**
   * Has the form say again what it said of a task.
   * @param {Call} call
   */
  #recall({ text, format, model, from, to, beside }) {
    this.#text.value = text;
    this.#setFormat(format);
    this.#model.select.value = model;
    this.#showLanguages();
    if (from) this.#from.select.value = from;
    if (to) this.#to.select.value = to;
    this.#showBeside();
    if (beside) this.#beside.select.value = beside;
    this.#listener.onChange();
  }

  /** Shows the fields for what the chosen model reads, and its examples. */
  #showInputs() {
    const reads = this.#reads;
    this.#text.hidden = !readsText(reads);
    this.#text.setAttribute("aria-label", { lines: "Texts, one a line", question: "Question", text: "Text", picture: "Text" }[reads]);
    this.#drop.hidden = !readsPicture(reads);
    this.#tooLong.element.hidden = !readsText(reads);
    this.#examples.show(this.#chosen, readsPicture(reads));
    this.#useMaskOf(this.#modelOf(this.#model.select.value));
  }

  /**
   * Writes the mask as a model spells it.
   * @param {any} model
   */
  #useMaskOf(model) {
    const own = model?.mask_token || MASK;
    if (this.#chosen === "fill-mask") this.#text.value = this.#text.value.replaceAll(this.#maskToken, own);
    this.#maskToken = own;
  }

  #ofTask() {
    return this.#models.filter((model) => TASKS[model.task].task === this.#chosen);
  }

  /** The languages or styles of the chosen model; hidden if there is nothing to choose. */
  #showLanguages() {
    this.#showInputs();
    const model = this.#modelOf(this.#model.select.value);
    const names = new Intl.DisplayNames(["en"], { type: "language" });
    /** @type {[string, string][]} */
    const languages = (model?.target_languages ?? []).map((/** @type {string} */ code) => [code, names.of(code) ?? code]);
    /** @type {[string, string][]} */
    const sources = (model?.source_languages ?? []).map((/** @type {string} */ code) => [code, names.of(code) ?? code]);
    this.#showSources(sources);
    /** @type {[string, string][]} */
    const styles = (model?.styles ?? []).map((/** @type {string} */ style) => [style, style]);
    const options = this.#chosen === "translate" ? languages : styles;
    const label = /** @type {HTMLElement} */ (this.#to.element.firstElementChild);
    label.textContent = this.#chosen === "translate" ? "To" : "Style";
    const before = this.#to.select.value;
    this.#to.show(options, options.some(([value]) => value === before) ? before : (options[0]?.[0] ?? ""));
    this.#to.element.hidden = options.length === 0;
    this.#beams.input.placeholder = String(model?.generation_defaults?.num_beams ?? 1);
    this.#hypotheses.input.placeholder = "1";
    this.#card.show(model);
    this.#showBeside();
  }

  /** The models that can answer the same call: in another precision, by another architecture. */
  #showBeside() {
    const [chosen, to] = [this.#model.select.value, this.#to.select.value];
    const { reads } = described(this.#chosen);
    const others = this.#ofTask().filter((other) => {
      const { name, target_languages = [] } = other;
      return reads(other) === this.#reads && name !== chosen && (this.#chosen !== "translate" || target_languages.includes(to));
    });
    const before = this.#beside.select.value;
    const options = /** @type {[string, string][]} */ (others.map(({ name, precision }) => [name, `${name}, ${precision}`]));
    this.#beside.show([["", "No other"], ...options], options.some(([value]) => value === before) ? before : "");
    this.#beside.element.hidden = options.length === 0;
    this.#listener.onChange();
  }

  /**
   * The languages that the text may be in. A model of one language needs no name of it.
   * @param {[string, string][]} sources codes and names
   */
  #showSources(sources) {
    const before = this.#from.select.value;
    /** @type {[string, string][]} */
    const named = sources.length === 1 ? [["", sources[0][1]]] : [["", "Not stated"], ...sources];
    /** @type {[string, string][]} */
    const options = [...named, ["auto", "Detect"]];
    this.#from.show(options, options.some(([value]) => value === before) ? before : "");
    this.#from.element.hidden = this.#chosen !== "translate" || sources.length === 0;
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
    this.#takePicture = (file) => {
      this.#picture = file;
      preview.src = URL.createObjectURL(file);
      preview.hidden = false;
      hint.textContent = file.name;
      this.#listener.onChange();
      if (this.isReady) this.element.requestSubmit();
    };
    input.addEventListener("change", () => input.files?.length && this.#takePicture(input.files[0]));
    document.addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (readsPicture(this.#reads) && file) this.#takePicture(file);
    });
    return zone;
  }

  /** Where a file to translate is chosen. */
  #fileField() {
    const input = element("input", "hidden");
    setAttributes(input, { type: "file", accept: ENDINGS.join(), "aria-label": "Document" });
    input.addEventListener("change", () => {
      if (input.files?.length) this.#listener.onDocument(input.files[0]);
      input.value = ""; // the same file may be chosen again
    });
    const field = element("label", "file-choice", input, this.#fileHint);
    field.title = `Files: ${ENDINGS.join(" ")}`;
    return field;
  }

  /** @param {Call["format"]} format */
  #setFormat(format) {
    this.#chosenFormat = format;
    this.#format.show(FORMATS, format);
    this.#format.element.hidden = this.#chosen !== "translate";
    setAttributes(this.#text, { spellcheck: format === "plain" });
    this.#listener.onChange();
  }

  /**
   * Puts an example into the form, and sends it.
   * @param {import("./examples.js").Example} example
   */
  async #take(example) {
    if (example.text !== undefined) this.#text.value = example.text.replaceAll(MASK, this.#maskToken);
    if (example.picture) {
      const name = example.picture.slice(example.picture.lastIndexOf("/") + 1);
      try {
        this.#takePicture(new File([await getFile(example.picture)], name));
      } catch (error) {
        // Without its status: the example is to be clicked again, there is no call to retry.
        this.#listener.onError(error instanceof Problem ? new Problem(error.title, error.message) : error);
      }
      return;
    }
    this.#setFormat(example.format ?? "plain");
    this.element.requestSubmit();
  }

  /** The task that gets a dropped picture: the chosen one if its model reads pictures. */
  #pictureTask() {
    const task = readsPicture(this.#reads) ? this.#chosen : "caption";
    if (this.#tasks().some(([offered]) => offered === task)) return task;
    const reading = this.#models.find((model) => TASKS[model.task].reads(model) === "picture");
    return reading ? TASKS[reading.task].task : task;
  }

  /**
   * Takes a picture, or a file to translate, wherever on the page it is dropped; a browser would leave the page for it
   * otherwise.
   */
  #takeDropped() {
    const zones = [this.#drop, this.#fileChoice];
    const light = (/** @type {boolean} */ isOver) => zones.forEach((zone) => zone.classList.toggle("over", isOver));
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      light(true);
    });
    document.addEventListener("dragleave", () => light(false));
    document.addEventListener("drop", (event) => {
      const file = event.dataTransfer?.files[0];
      light(false);
      if (!file) return;
      event.preventDefault();
      const isPicture = file.type.startsWith("image/");
      const task = isPicture ? this.#pictureTask() : "translate";
      if (!this.#tasks().some(([offered]) => offered === task)) return;
      if (this.#chosen !== task) this.#choose(task);
      if (isPicture) this.#takePicture(file);
      else {
        const others = (event.dataTransfer?.files.length ?? 1) - 1;
        this.#fileHint.textContent = others ? `One file at a time: ${file.name} was taken, ${others} not` : FILE_HINT;
        this.#listener.onDocument(file);
      }
    });
  }
}

/** @type {[Call["format"], string][]} */
const FORMATS = [
  ["plain", "Text"],
  ["html", "HTML"],
  ["xml", "XML"],
];

const AS_MANY = { min: 1, max: 16, step: 1, inputmode: "numeric" };

/** The mask in the examples' texts; models spell it in their own ways. */
const MASK = "[MASK]";

const SPLIT = "TRUNCATION_SPLIT_AND_JOIN";

/** @type {[string, string][]} */
const TOO_LONG = [
  ["", "As the model does"],
  [SPLIT, "Split"],
  ["TRUNCATION_TRUNCATE", "Cut"],
  ["TRUNCATION_REJECT", "Refuse"],
];

/** @type {[string, string][]} */
const UNITS = [
  ["words", "Words"],
  ["tokens", "Tokens"],
];
