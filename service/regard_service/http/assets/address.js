/**
 * The form's state in the page's address, behind the "#", which browsers send to no server: a link shows the same call.
 */

import { readsText } from "./tasks.js";

/** @typedef {import("./composer.js").Call} Call */

/** Longer texts are left out: programs cut long addresses. */
const MAX_TEXT = 4000;

/**
 * @param {Call} call
 * @returns {string} "#task=translate&text=..."; a picture is not part of it
 */
export function addressOf(call) {
  const { task, text, format, model, beside, from, to, beams, hypotheses, words, tooLong, isStreamChosen } = call;
  const { reads, most, threshold, pooling, evidence } = call;
  const isText = readsText(reads) && text.length <= MAX_TEXT;
  const values = {
    task,
    model,
    beside,
    to,
    from,
    format: format === "plain" ? "" : format,
    beams: beams ?? "",
    outputs: hypotheses ?? "",
    most: most ?? "",
    threshold: threshold ?? "",
    pooling,
    check: evidence.length ? "yes" : "",
    units: words ? "" : "tokens",
    long: tooLong,
    stream: isStreamChosen ? "" : "no",
    text: isText ? text : "",
  };
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== "") parameters.set(name, String(value));
  return `#${parameters}`;
}

/**
 * Writes a call into the address. Of another task it becomes an entry of its own: the browser's "back" leads to the task
 * before.
 * @param {Call} call
 */
export function keepAddress(call) {
  const address = addressOf(call);
  const before = readAddress()?.get("task") ?? call.task;
  if (before === call.task) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

/** @returns {URLSearchParams | null} what the address says; null if it says nothing */
export function readAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  return parameters.has("task") ? parameters : null;
}
