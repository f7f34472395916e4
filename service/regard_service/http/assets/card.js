/**
 * What a model is: its card, folded away behind one line.
 */

import { element } from "./view/dom.js";

const NAMES = new Intl.DisplayNames(["en"], { type: "language" });

export class Card {
  constructor() {
    this.element = element("div", "card-of-model");
  }

  /** @param {any} model as the server lists it */
  show(model) {
    const wasOpen = this.element.querySelector("details")?.open ?? false;
    const mark = model?.is_demonstration ? [element("strong", "demonstration", "demonstration model")] : [];
    const summary = element("summary", "", ...mark, ` ${model?.description || "About this model"}`);
    const details = element("details", "", summary, listOf(factsOf(model ?? {})));
    details.open = wasOpen;
    this.element.replaceChildren(details);
    this.element.hidden = !model;
  }
}

/**
 * @param {any} model
 * @returns {[string, string][]}
 */
function factsOf(model) {
  const provenance = model.provenance ?? {};
  const size = `${(Number(model.size_bytes ?? 0) / 1e6).toFixed(1)} MB`;
  const weights = Number(model.num_parameters ?? 0) ? `${(Number(model.num_parameters) / 1e6).toFixed(1)} million weights, ` : "";
  const use = "It ships with Regard to show and test it. It can be wrong with full confidence: do not act on its output where that matters.";
  /** @type {[string, string][]} */
  const facts = [
    ["Use", model.is_demonstration ? use : ""],
    ["Version", `${model.version}, ${model.family}`],
    ["Runs", `${weights}${model.precision} on ${model.provider}, ${size}`],
    ["Reads", named(model.source_languages) + (model.max_source_tokens ? `, up to ${model.max_source_tokens} tokens` : "")],
    ["Writes", named(model.target_languages) || (model.styles ?? []).join(", ")],
    ["Trained on", provenance.data ?? ""],
    ["Licence of the data", provenance.data_license ?? ""],
    ["Licence of the weights", provenance.weights_license ?? ""],
    ["From", provenance.source ?? ""],
    ...scoresOf(model),
  ];
  return facts.filter(([, value]) => value);
}

/**
 * @param {any} model
 * @returns {[string, string][]}
 */
const scoresOf = ({ scores = {} }) =>
  Object.entries(scores).map(([name, value]) => [name.replaceAll("/", ", "), Number(value).toFixed(1)]);

/** @param {string[]} [languages] */
const named = (languages = []) => languages.map((code) => NAMES.of(code) ?? code).join(", ");

/** @param {[string, string][]} facts */
const listOf = (facts) => element("dl", "", ...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
