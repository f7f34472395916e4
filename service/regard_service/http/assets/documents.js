/**
 * A file that is translated: how far it is, the link to its translation, and what may be wrong with it.
 */

import { stream } from "./api.js";
import { base64Of, documentRequestOf } from "./requests.js";
import { element, setAttributes } from "./view/dom.js";
import { bytesOf } from "./view/weights.js";

/** @typedef {import("./composer.js").Call} Call */

/** Endings of the files that can be chosen; the server says no to others. */
export const ENDINGS = ".txt .md .markdown .html .htm .xhtml .srt .vtt .ass .ssa .po .pot .xlf .xliff .ts .json .arb .docx".split(" ");

export class DocumentPanel {
  constructor() {
    this.element = element("section", "document");
    this.element.setAttribute("aria-label", "Translated file");
    this.element.hidden = true;
  }

  /** @type {string | null} the address of the last translation, which keeps it in memory */
  #address = null;

  /**
   * Translates a file, and shows how far it is.
   * @param {Call} call
   * @param {File} file
   * @param {AbortSignal} signal
   */
  async translate(call, file, signal) {
    this.forget();
    const bar = element("progress");
    const state = element("span", "", "reading …");
    setAttributes(bar, { "aria-label": `Progress of ${file.name}` });
    state.setAttribute("role", "status");
    this.element.replaceChildren(element("p", "file", element("strong", "", file.name), bar, state));
    this.element.hidden = false;
    const request = documentRequestOf(call, file.name, await base64Of(file));
    for await (const { name, data } of stream(request.path, request.body, signal)) {
      if (name === "started") progress(bar, state, 0, data.started.num_units ?? 0);
      else if (name === "progress") progress(bar, state, data.progress.num_done ?? 0, data.progress.num_units ?? 0);
      else if (name === "finished") {
        this.#finish(call, file, data.finished);
        return true;
      }
    }
    return false;
  }

  /** Takes away what an earlier call left. */
  forget() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = null;
    this.element.replaceChildren();
    this.element.hidden = true;
  }

  /**
   * @param {Call} call
   * @param {File} file
   * @param {any} finished the stream's last message
   */
  #finish(call, file, finished) {
    const bytes = bytesOf(finished.document ?? "");
    // The browser shall save the file whatever its type is, never show it as a page of this server.
    this.#address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    const name = translatedName(file.name, call.to);
    const link = element("a", "save", `Save ${name}`);
    setAttributes(link, { href: this.#address, download: name });
    const warnings = (finished.warnings ?? []).map((/** @type {any} */ warning) => warningItem(warning));
    const found = warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`;
    const state = element("span", "", `translated, ${warnings.length ? found : "no warnings"}`);
    state.setAttribute("role", "status");
    this.element.replaceChildren(
      element("p", "file", element("strong", "", file.name), state, link),
      ...(warnings.length ? [element("ul", "warnings", ...warnings)] : []),
    );
  }
}

/**
 * @param {HTMLProgressElement} bar
 * @param {HTMLElement} state
 * @param {number} done
 * @param {number} all
 */
function progress(bar, state, done, all) {
  bar.max = Math.max(all, 1);
  bar.value = all ? done : 1;
  state.textContent = `${done} of ${all} texts`;
}

/** @param {any} warning of a document */
function warningItem(warning) {
  const place = warning.place ? [element("strong", "", warning.place), ": "] : [];
  const text = warning.text ? [" ", element("q", "", warning.text)] : [];
  return element("li", "", ...place, warning.message ?? "", ...text);
}

/**
 * The name that the translation of a file gets: notes.md is notes.de.md.
 * @param {string} name
 * @param {string} language
 */
export function translatedName(name, language) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)}.${language}${name.slice(dot)}` : `${name}.${language}`;
}
