/**
 * What one model makes of a call: its answer as it comes, how long it took, what went wrong, and the answer as a file.
 */

import { Answer } from "./answer.js";
import { post, Problem, stream } from "./api.js";
import { Partial } from "./partial.js";
import { buttonOf, ProblemPanel } from "./problems.js";
import { requestOf } from "./requests.js";
import { pageOf, pictureOf, save } from "./saving.js";
import { described } from "./tasks.js";
import { Timings } from "./timings.js";
import { element } from "./view/dom.js";
import { readResult } from "./view/result.js";

/** @typedef {import("./composer.js").Call} Call */
/** @typedef {import("./view/result.js").Result} Result */
/** @typedef {import("./problems.js").Remedies} Remedies */

export class Column {
  /** @param {Remedies} remedies */
  constructor(remedies) {
    this.problem = new ProblemPanel(remedies);
    this.timings = new Timings(remedies);
    this.#saving = element(
      "div",
      "saving",
      buttonOf({ name: "Save as HTML", apply: () => this.#save("html") }),
      buttonOf({ name: "Save as PNG", apply: () => this.#save("png") }),
    );
    this.#saving.hidden = true;
    const line = element("div", "row about", this.timings.element, this.#saving);
    this.element = element("section", "column", this.#name, this.problem.element, line, this.answer.element);
  }

  answer = new Answer();
  #name = element("h2", "model-name");
  /** @type {HTMLElement} */ #saving;
  /** @type {{raw: any, call: Call, result: Result} | null} what is shown, whole */ #shown = null;

  /**
   * @param {string} name above the answer; "" if it stands alone
   */
  set name(name) {
    this.#name.textContent = name;
    this.#name.hidden = !name;
    this.answer.name = name;
  }

  /** The result that is shown; null if none is, or not the whole of it. */
  get result() {
    return this.#shown?.result ?? null;
  }

  /** Takes away an earlier call's answer: it is none to what was asked now. */
  forget() {
    this.#shown = null;
    this.#saving.hidden = true;
    this.answer.hide();
    this.timings.say("");
  }

  /**
   * Sends a call, and shows its answer.
   * @param {Call} call
   * @param {HTMLImageElement | null} image the picture that the call reads
   * @param {AbortSignal} signal
   * @returns {Promise<Result>}
   */
  async run(call, image, signal) {
    const before = this.answer.numShown;
    this.problem.clear();
    this.#saving.hidden = true;
    this.answer.isBusy = true;
    try {
      const { path, body } = await requestOf(call);
      const results = call.streams
        ? [await this.#watch(stream(path, body, signal), { call, image }, signal)]
        : (await post(path, body, signal)).results;
      const isOneStep = described(call.task).isOneStep;
      const raw = isOneStep ? this.answer.showFindings(results, { call, image }) : results[0];
      const result = readResult(raw);
      if (!isOneStep) this.answer.show(result, { call, image });
      this.timings.show(result);
      this.#shown = { raw, call, result };
      this.#saving.hidden = false;
      return result;
    } catch (error) {
      if (!signal.aborted && this.answer.numShown === before) this.forget();
      throw error;
    } finally {
      if (!signal.aborted) this.answer.isBusy = false;
    }
  }

  /** Says that the call was stopped. */
  stopped() {
    this.answer.isBusy = false;
    this.timings.say("stopped");
  }

  /**
   * Shows a stream as it comes, at most once a frame; returns its result.
   * @param {AsyncIterable<{name: string, data: any}>} events
   * @param {import("./answer.js").Input} input
   * @param {AbortSignal} signal
   */
  async #watch(events, input, signal) {
    /** @type {Partial | null} */
    let partial = null;
    let waiting = 0;
    for await (const { name, data } of events) {
      if (name === "started") {
        partial = new Partial(data.started);
        this.timings.say("reading done, writing …");
      } else if (name === "token" && partial) {
        partial.add(data.token);
        waiting ||= requestAnimationFrame(() => {
          waiting = 0;
          if (signal.aborted) return;
          if (partial) this.answer.showPartial(partial, input);
        });
      } else if (name === "finished") {
        cancelAnimationFrame(waiting);
        return data.finished.result;
      }
    }
    throw Problem.lost();
  }

  /** @param {"html" | "png"} format */
  async #save(format) {
    if (!this.#shown) return;
    const { call, result } = this.#shown;
    const raw = this.answer.drawn ?? this.#shown.raw;
    const title = `${result.model} ${result.version}`;
    try {
      const isPage = format === "html";
      const blob = isPage ? await pageOf(raw, call.picture, title) : await pictureOf(this.answer.element, title);
      save(blob, `attention-${result.model}.${format}`);
    } catch (error) {
      this.problem.show(error);
    }
  }
}
