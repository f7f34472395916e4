/**
 * The work on one task: its last call, what one or two models make of it, and a file that is translated. Each task has a
 * desk of its own, so that its result is still there when the reader returns to it.
 */

import { Alternatives } from "./alternatives.js";
import { Problem } from "./api.js";
import { Column } from "./column.js";
import { DocumentPanel } from "./documents.js";
import { described, readsPicture } from "./tasks.js";
import { element } from "./view/dom.js";

/** @typedef {import("./composer.js").Call} Call */
/** @typedef {import("./problems.js").Remedies} Remedies */

export class Desk {
  /**
   * @param {Remedies & {begin: (prefix: string) => void}} reader what the reader may ask for; `begin`: an output that
   *   begins so
   * @param {() => void} onChange a call has begun or ended
   */
  constructor(reader, onChange) {
    this.#onChange = onChange;
    this.#columns = [new Column(reader), new Column(reader)];
    this.#alternatives = new Alternatives(reader.begin, (error) => this.show(error));
    this.#row = element("div", "columns", this.#columns[0].element);
    this.element = element("div", "desk", this.#file.element, this.#row, this.#alternatives.element);
    this.#columns[0].name = "";
  }

  /** @type {() => void} */ #onChange;
  /** @type {Column[]} the second one is shown where two models are compared */ #columns;
  /** @type {HTMLElement} */ #row;
  /** @type {Alternatives} */ #alternatives;
  #file = new DocumentPanel();
  /** @type {AbortController | null} */ #running = null;
  /** @type {Call | null} */ #call = null;
  /** @type {File | null} */ #document = null;

  /** Whether a call runs. */
  get isRunning() {
    return this.#running !== null;
  }

  /** The last call; null if there was none. */
  get call() {
    return this.#call;
  }

  /** The file whose translation was the last call; null if it was another. */
  get document() {
    return this.#document;
  }

  /** Repaints in the page's new theme. */
  themeChanged() {
    for (const { answer } of this.#columns) answer.themeChanged();
  }

  /** @param {unknown} error */
  show(error) {
    this.#columns[0].problem.show(error);
  }

  stop() {
    this.#running?.abort();
  }

  /**
   * Sends a call; it takes the place of another that runs. The same call that runs already goes on.
   * @param {Call} call
   */
  async run(call) {
    if (this.#running && !this.#document && this.#call && isSame(call, this.#call)) return;
    this.#call = call;
    this.#document = null;
    await this.#during(async (signal) => {
      this.#alternatives.hide();
      this.#file.forget();
      this.#arrange(call);
      const image = readsPicture(call.reads) && call.picture ? await this.#imageOf(call.picture) : null;
      const runs = callsOf(call).map((own, at) => this.#column(at, own, image, signal));
      const [first, second] = await Promise.all(runs);
      if (first) this.#alternatives.show(call, first);
      if (first && second && !described(call.task).isOneStep) this.#columns[1].answer.compareWith(first);
    });
  }

  /**
   * Translates a file; it takes the place of a call that runs.
   * @param {Call} call
   * @param {File} chosen
   */
  async translate(call, chosen) {
    this.#call = call;
    this.#document = chosen;
    await this.#during(async (signal) => {
      this.#arrange({ ...call, beside: "" });
      this.#forget();
      try {
        if (!(await this.#file.translate(call, chosen, signal))) throw Problem.lost();
      } catch (error) {
        if (this.#running?.signal === signal) this.#file.forget();
        this.#fail(0, error, signal);
      }
    });
  }

  /**
   * One model's part of a call. An error is shown in its column; the other model's answer stays.
   * @param {number} at
   * @param {Call} call
   * @param {HTMLImageElement | null} image
   * @param {AbortSignal} signal
   */
  async #column(at, call, image, signal) {
    try {
      return await this.#columns[at].run(call, image, signal);
    } catch (error) {
      this.#fail(at, error, signal);
      return null;
    }
  }

  /**
   * @param {number} at
   * @param {unknown} error
   * @param {AbortSignal} signal
   */
  #fail(at, error, signal) {
    if (this.#running?.signal !== signal) return; // another call has taken its place
    if (signal.aborted) this.#columns[at].stopped();
    else this.#columns[at].problem.show(error);
  }

  /**
   * Runs a call instead of the one that runs.
   * @param {(signal: AbortSignal) => Promise<void>} call
   */
  async #during(call) {
    this.#running?.abort();
    const own = (this.#running = new AbortController());
    for (const { problem } of this.#columns) problem.clear();
    this.#onChange();
    try {
      await call(own.signal);
    } catch (error) {
      if (this.#running === own) this.#columns[0].problem.show(error);
    } finally {
      if (this.#running === own) {
        this.#running = null;
        this.#onChange();
      }
    }
  }

  #forget() {
    this.#alternatives.hide();
    for (const column of this.#columns) column.forget();
  }

  /**
   * Shows as many columns as there are models.
   * @param {Call} call
   */
  #arrange({ model, beside }) {
    const names = beside ? [model, beside] : [""];
    this.#row.classList.toggle("two", names.length === 2);
    names.forEach((name, at) => (this.#columns[at].name = name));
    this.#row.replaceChildren(...names.map((_, at) => this.#columns[at].element));
    if (names.length === 1) this.#columns[1].forget();
  }

  /** @param {File} file */
  async #imageOf(file) {
    const image = new Image();
    image.src = URL.createObjectURL(file);
    await image.decode().catch(() => {
      this.#forget();
      throw new Problem("Not a picture", `Your browser cannot read ${file.name} as one.`);
    });
    return image;
  }
}

/**
 * The call to each model.
 * @param {Call} call
 */
const callsOf = (call) => (call.beside ? [call, { ...call, ...call.besideOptions, model: call.beside }] : [call]);

/**
 * @param {Call} one
 * @param {Call} other
 */
const isSame = (one, other) =>
  one.picture === other.picture && JSON.stringify({ ...one, picture: null }) === JSON.stringify({ ...other, picture: null });
