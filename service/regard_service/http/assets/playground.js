/**
 * The playground: a form, a desk for each task, and the same call from elsewhere.
 */

import { get, hasToken, keepToken, Problem } from "./api.js";
import { addressOf, keepAddress, readAddress } from "./address.js";
import { Composer } from "./composer.js";
import { Desk } from "./desk.js";
import { translatedName } from "./documents.js";
import { ProblemPanel } from "./problems.js";
import { documentSnippetsOf, snippetsOf } from "./requests.js";
import { described } from "./tasks.js";
import { Choice, element, setAttributes } from "./view/dom.js";
import { switchThemeWith } from "./view/theme.js";

/** @typedef {import("./composer.js").Call} Call */

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const server = await get("/assets/server.json").catch(() => ({}));

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

const place = element("div");
/** @type {Map<Call["task"], Desk>} */
const desks = new Map();

/** What a reader may do about an answer. */
const reader = {
  retry: () => retry(),
  canSplit: () => !described(desk().call?.task ?? "translate").isOneStep,
  shorten: () => {
    composer?.shorten();
    run();
  },
  useBeams: (/** @type {number} */ beams) => {
    composer?.useBeams(beams);
    run();
  },
  begin: send,
};

/** @type {Composer | null} */
let composer = null;
let isFollowing = false;
composer = await compose();
if (composer) {
  const state = readAddress();
  if (state) composer.restore(state);
  const pre = element("pre", "", code);
  setAttributes(pre, { tabindex: 0, role: "group", "aria-label": "The same call" });
  const row = element("div", "row", languages.element, copy, share);
  const sameCall = element("section", "same-call", element("h2", "", "The same call"), row, pre);
  main.append(composer.element, place, sameCall);
  showDesk();
  if (composer.isReady) run();
}
addEventListener("hashchange", follow);
switchThemeWith(/** @type {HTMLElement} */ (document.querySelector("button.theme")), () => {
  for (const desk of desks.values()) desk.themeChanged();
});

/** Shows what the address says: the reader went back, or opened a link in this tab. */
function follow() {
  const state = readAddress();
  if (!composer || !state) return;
  isFollowing = true;
  composer.restore(state);
  isFollowing = false;
  const { call } = desk();
  if (call && addressOf(call) === location.hash) return;
  if (composer.isReady) run();
}

/** The desk of the chosen task. */
function desk() {
  const task = composer?.task ?? "translate";
  const known = desks.get(task);
  if (known) return known;
  const own = new Desk(reader, () => showState());
  desks.set(task, own);
  return own;
}

function showDesk() {
  const own = desk();
  place.replaceChildren(own.element);
  if (composer && !isFollowing) keepAddress(own.call ?? composer.call());
  showState();
}

/** Shows whether the chosen task's call runs, and how to make it elsewhere. */
function showState() {
  if (composer) composer.isRunning = desk().isRunning;
  showSnippet();
}

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
  const problem = new ProblemPanel({ ...reader, retry: () => location.reload() });
  try {
    const { models = [] } = await get("/v1/models");
    if (models.some((/** @type {any} */ model) => model.state === "MODEL_STATE_READY")) {
      return new Composer(models, {
        onRun: run,
        onStop: () => desk().stop(),
        onChange: () => showSnippet(),
        onTask: () => composer && showDesk(),
        onDocument: runDocument,
        onError: (error) => desk().show(error),
      });
    }
    main.append(problem.element);
    problem.show(new Problem("No models", "This server has no model that is ready."));
  } catch (error) {
    main.append(problem.element);
    problem.show(error);
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

/** Sends what the form says. */
function run() {
  send("");
}

/** @param {string} prefix how the output is to begin */
function send(prefix) {
  if (!composer) return;
  const call = { ...composer.call(), prefix };
  keepAddress(call);
  desk().run(call);
}

/** Sends the last call of the task again: a text, or a file. */
function retry() {
  const file = desk().document;
  if (file) runDocument(file);
  else run();
}

/** @param {File} chosen */
function runDocument(chosen) {
  if (composer) desk().translate(composer.call(), chosen);
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
  const file = desk().document;
  const snippets = file
    ? documentSnippetsOf(call, file.name, translatedName(file.name, call.to), location.origin, target, access)
    : snippetsOf(call, location.origin, target, access);
  code.textContent = snippets[language];
}
