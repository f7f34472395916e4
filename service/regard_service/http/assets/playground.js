/**
 * The playground: a form, the answer as it comes, and the same call from elsewhere.
 */

import { Alternatives } from "./alternatives.js";
import { get, hasToken, keepToken, post, Problem, stream } from "./api.js";
import { keepAddress, readAddress } from "./address.js";
import { Composer } from "./composer.js";
import { DocumentPanel, translatedName } from "./documents.js";
import { Answer } from "./answer.js";
import { Partial } from "./partial.js";
import { documentSnippetsOf, requestOf, snippetsOf } from "./requests.js";
import { Choice, element, setAttributes } from "./view/dom.js";
import { readResult } from "./view/result.js";
import { switchThemeWith } from "./view/theme.js";

/** @typedef {import("./composer.js").Call} Call */
/** @typedef {import("./view/result.js").Result} Result */

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const server = await get("/assets/server.json").catch(() => ({}));

const problem = element("div", "problem");
problem.setAttribute("role", "alert");
const timings = element("div", "timings");
setAttributes(timings, { role: "status", "aria-label": "Timings" });
const answer = new Answer();
const file = new DocumentPanel();
const alternatives = new Alternatives((prefix) => run(false, prefix), show);

/** @type {AbortController | null} */
let running = null;
/** @type {File | null} the file whose translation was the last call */
let lastFile = null;
/** @type {"curl" | "grpcurl" | "python"} */
let language = "curl";

const code = element("code");
const languages = new Choice("As", (/** @type {typeof language} */ chosen) => {
  language = chosen;
  showSnippet();
});
const copy = element("button", "quiet", "Copy");
copy.type = "button";
copy.addEventListener("click", () => copyText(copy, code.textContent ?? "", code));

const share = element("button", "quiet", "Copy link");
share.type = "button";
share.title = "The address shows the same call to others of this server";
share.addEventListener("click", () => copyText(share, location.href));

/** @type {Composer | null} */
let composer = null;
composer = await compose();
if (composer) {
  const state = readAddress();
  if (state) composer.restore(state);
  const pre = element("pre", "", code);
  setAttributes(pre, { tabindex: 0, role: "group", "aria-label": "The same call" });
  const row = element("div", "row", languages.element, copy, share);
  const sameCall = element("section", "same-call", element("h2", "", "The same call"), row, pre);
  main.append(composer.element, problem, file.element, timings, answer.element, alternatives.element, sameCall);
  showSnippet();
  if (composer.isReady) run();
} else main.append(problem);
switchThemeWith(/** @type {HTMLElement} */ (document.querySelector("button.theme")), () => answer.themeChanged());

/**
 * Copies a text, and says so on the button.
 * @param {HTMLButtonElement} button
 * @param {string} text
 * @param {Node} [shown] where the text stands on the page
 */
async function copyText(button, text, shown) {
  const name = button.textContent;
  // Browsers give pages no clipboard over plain HTTP from another machine; what is selected they copy all the same.
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else {
    const field = element("textarea");
    field.value = text;
    if (!shown) document.body.append(field);
    if (shown) getSelection()?.selectAllChildren(shown);
    else field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = name), 1500);
}

/** The form for the models that there are; null if there are none, or no answer. */
async function compose() {
  try {
    const { models = [] } = await get("/v1/models");
    if (models.some((/** @type {any} */ model) => model.state === "MODEL_STATE_READY")) {
      return new Composer(models, run, () => showSnippet(), runDocument);
    }
    show(new Problem("No models", "This server has no model that is ready."));
  } catch (error) {
    show(error);
    if (error instanceof Problem && error.status === 401) main.append(tokenForm());
  }
  return null;
}

/** Asks for the token that the server wants, and begins anew with it. */
function tokenForm() {
  const input = element("input");
  setAttributes(input, { type: "password", autocomplete: "off", required: "" });
  const button = element("button", "run", "Use");
  const form = element("form", "composer", element("div", "row", element("label", "field", element("span", "", "Token"), input), button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(input.value);
    location.reload();
  });
  return form;
}

/**
 * Sends what the form says. While a call runs, all that the button does is to stop it; a picture that is dropped meanwhile
 * takes its place.
 * @param {boolean} [byButton]
 * @param {string} [prefix] how the output is to begin
 */
async function run(byButton = false, prefix = "") {
  if (!composer || (running && byButton)) {
    running?.abort();
    return;
  }
  lastFile = null;
  showSnippet();
  const call = { ...composer.call(), prefix };
  keepAddress(call);
  await during(async (signal) => {
    const before = answer.numShown;
    alternatives.hide();
    answer.isBusy = true;
    file.forget();
    try {
      const input = { call, image: call.task === "caption" && call.picture ? await imageOf(call.picture) : null };
      const { path, body } = await requestOf(call);
      const result = call.streams
        ? await watch(stream(path, body, signal), input, signal)
        : readResult((await post(path, body, signal)).results[0]);
      answer.show(result, input);
      alternatives.show(call, result);
      showTimings(result);
    } catch (error) {
      if (running?.signal === signal && answer.numShown === before) forget();
      throw error;
    }
  });
}

/**
 * Translates a file; it takes the place of a call that runs.
 * @param {File} chosen
 */
async function runDocument(chosen) {
  if (!composer) return;
  lastFile = chosen;
  showSnippet();
  const call = composer.call();
  await during(async (signal) => {
    forget();
    try {
      if (!(await file.translate(call, chosen, signal))) throw new Problem("No result", "The stream ended before its result.");
    } catch (error) {
      if (running?.signal === signal) file.forget();
      throw error;
    }
  });
}

/**
 * Runs a call instead of the one that runs, and shows its error.
 * @param {(signal: AbortSignal) => Promise<void>} call
 */
async function during(call) {
  if (!composer) return;
  running?.abort();
  const own = (running = new AbortController());
  composer.run.textContent = "Stop";
  problem.replaceChildren();
  try {
    await call(own.signal);
  } catch (error) {
    if (running === own) show(error);
  } finally {
    if (running === own) {
      running = null;
      composer.run.textContent = composer.name;
      answer.isBusy = false;
    }
  }
}

/** Takes away an earlier call's answer: it is none to what was asked now. */
function forget() {
  answer.hide();
  alternatives.hide();
  timings.replaceChildren();
}

/**
 * Shows a stream as it comes, at most once a frame; returns its result.
 * @param {AsyncIterable<{name: string, data: any}>} events
 * @param {import("./answer.js").Input} input
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
async function watch(events, input, signal) {
  /** @type {Partial | null} */
  let partial = null;
  let waiting = 0;
  for await (const { name, data } of events) {
    if (name === "started") {
      partial = new Partial(data.started);
      timings.replaceChildren(element("span", "", "reading done, writing …"));
    } else if (name === "token" && partial) {
      partial.add(data.token);
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        if (signal.aborted) return;
        if (partial) answer.showPartial(partial, input);
      });
    } else if (name === "finished") {
      cancelAnimationFrame(waiting);
      return readResult(data.finished.result);
    }
  }
  throw new Problem("No result", "The stream ended before its result.");
}

/** @param {File} file */
async function imageOf(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  await image.decode().catch(() => {
    throw new Problem("Not a picture", `Your browser cannot read ${file.name} as one.`);
  });
  return image;
}

/** @param {Result} result */
function showTimings(result) {
  const { queue, encode, decode } = result.timings;
  const parts = /** @type {[string, number, string][]} */ ([
    ["queue", queue, "var(--quiet)"],
    ["encode", encode, "var(--mark)"],
    ["decode", decode, "var(--accent)"],
  ]);
  const shares = element("span", "shares");
  shares.setAttribute("aria-hidden", "true");
  const labels = parts.map(([name, ms, colour]) => {
    const share = element("span");
    share.style.flex = `${ms} 0 0`;
    share.style.background = colour;
    shares.append(share);
    const dot = element("span", "dot");
    dot.style.background = colour;
    return element("span", "", dot, `${name} ${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`);
  });
  const dropped = result.numTruncated
    ? [element("span", "", `the last ${result.numTruncated} tokens were too many and were dropped`)]
    : [];
  const model = element("span", "", `${result.model} ${result.version}`);
  timings.replaceChildren(shares, ...labels, model, ...languageOf(result), ...dropped);
}

/**
 * The language that the server found, if it was to find it and did.
 * @param {Result} result
 */
function languageOf({ language, confidence }) {
  if (!language) return [];
  const name = new Intl.DisplayNames(["en"], { type: "language" }).of(language) ?? language;
  return [element("span", "", `detected ${name}, ${Math.round(100 * confidence)} % sure`)];
}

/**
 * What the form calls the fields of a request.
 * @type {Record<string, string>}
 */
const LABELS = {
  "generation.num_beams": "Beams",
  "generation.num_return_sequences": "Outputs",
  "texts[0]": "Text",
  text: "Text",
  "images[0]": "Picture",
  image: "Picture",
  target_language: "To",
  source_language: "From",
  style: "Style",
  model: "Model",
};

/** @param {unknown} error */
function show(error) {
  if (error instanceof DOMException && error.name === "AbortError") {
    timings.replaceChildren(element("span", "", "stopped"));
    return;
  }
  if (!(error instanceof Problem)) console.error(error);
  const told = error instanceof Problem ? error : new Problem("Something went wrong on this page", String(error));
  const listed = told.violations.map(({ field, description }) => {
    return element("li", "", `${LABELS[field] ?? field}: ${description}`);
  });
  const text = listed.length ? element("ul", "", ...listed) : element("span", "", ` ${told.message}`);
  problem.replaceChildren(element("strong", "", `${told.title}.`), text);
}

function showSnippet() {
  if (!composer) return;
  const target = `${location.hostname}:${server.grpc_port ?? 50051}`;
  languages.show(
    [
      ["curl", "curl"],
      ["grpcurl", "grpcurl"],
      ["python", "Python"],
    ],
    language,
  );
  const access = { isSecure: location.protocol === "https:", hasToken: hasToken() };
  const call = composer.call();
  const snippets = lastFile
    ? documentSnippetsOf(call, lastFile.name, translatedName(lastFile.name, call.to), location.origin, target, access)
    : snippetsOf(call, location.origin, target, access);
  code.textContent = snippets[language];
}
