/**
 * Opens pages in Chromium, in turn, and prints what each opening took: a JSON object a line, times in milliseconds.
 *
 * Arguments: rounds, then URLs; the first round is a warm-up and prints nothing. CHROMIUM says which browser.
 *
 * Chromium is spoken to without a library, and every page is a tab of one window: libraries watch the network, which reads
 * the page a second time, put scripts of their own into it, and open a window for it; all that would be measured with it.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const QUIET_MS = 300; // between openings, for what the browser still does for the tab before

const [rounds, ...urls] = process.argv.slice(2);

/** In the page, before anything of its own: notes when the heatmap is on the screen and input would be answered. */
function watchOpening() {
  const drawn = () => {
    const canvas = document.querySelector("canvas.matrix");
    return canvas ? canvas.width > 300 : document.readyState === "complete";
  };
  globalThis.opened = new Promise((resolve) => {
    const look = () => {
      if (!drawn()) return;
      watcher.disconnect();
      requestAnimationFrame(() => {
        // A task that comes after the frame: whatever was clicked meanwhile is answered from here on.
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now());
        channel.port2.postMessage(null);
      });
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document, { subtree: true, childList: true, attributes: true });
    document.addEventListener("readystatechange", look);
  });
}

/** In the page: when it was open, and when all of it had been read; not before every kind of map is offered. */
async function timesOfOpening() {
  const opened_ms = await globalThis.opened;
  if (document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve));
  const offered = () => !document.querySelector("canvas.matrix") || document.querySelector("input[type=radio][value=cross]");
  while (!offered()) await new Promise((resolve) => setTimeout(resolve));
  return { opened_ms, read_ms: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd };
}

/** What reacting takes: the middle of several hovers, heads and kinds of map, each until its pixels can be read. */
function measureReactions() {
  const canvas = document.querySelector("canvas.matrix");
  if (!canvas) return {};
  const timed = (act) => {
    const begin = performance.now();
    act();
    canvas.getContext("2d").getImageData(0, 0, 1, 1);
    document.body.getBoundingClientRect();
    return performance.now() - begin;
  };
  const median = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)];
  const kinds = ["alignment", "cross"].map((value) => document.querySelector(`input[type=radio][value=${value}]`));
  const choose = (label, value) => {
    const fields = [...document.querySelectorAll("label.field")];
    const select = fields.find((each) => each.textContent.startsWith(label)).querySelector("select");
    select.value = value;
    select.dispatchEvent(new Event("change"));
  };
  const show = (kind) => ((kinds[kind].checked = true), kinds[kind].dispatchEvent(new Event("change")));
  const first_kind_ms = timed(() => show(1));
  const words = [...document.querySelectorAll(".outputs .word")].slice(0, 15);
  return {
    first_kind_ms,
    kind_ms: median([0, 1, 0, 1, 0, 1, 1].map((kind) => timed(() => show(kind)))),
    head_ms: median([0, 1, 2, 3, 4, 5].map((head) => timed(() => (choose("Layer", head), choose("Head", head + 1))))),
    hover_ms: median(words.map((word) => timed(() => word.dispatchEvent(new PointerEvent("pointerenter"))))),
  };
}

/** A Chromium of its own, spoken to in the DevTools protocol over two pipes. */
class Browser {
  constructor() {
    this.#profile = mkdtempSync(join(tmpdir(), "chromium-"));
    const options = ["--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1280,900"];
    this.#process = spawn(process.env.CHROMIUM, [...options, "--remote-debugging-pipe", `--user-data-dir=${this.#profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    let received = "";
    this.#process.stdio[4].setEncoding("utf-8").on("data", (data) => {
      const messages = (received + data).split("\0");
      received = messages.pop();
      for (const message of messages) this.#receive(JSON.parse(message));
    });
  }

  #process;
  #profile;
  #count = 0;
  #waiting = new Map();

  #receive({ id, result, error }) {
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  }

  /** Calls a method of the protocol, of a page where its session is given. */
  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#count;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.send("Browser.close");
    await ended;
    rmSync(this.#profile, { recursive: true, maxRetries: 10 });
  }
}

/** Opens a page in a tab of its own, measures, and closes it; waits until the tab and its process are gone. */
async function measure(browser, url) {
  const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
  const send = (method, params) => browser.send(method, params, sessionId);
  const run = async (code) => {
    const call = { expression: `(${code})()`, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await send("Runtime.evaluate", call);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const worked = async () => {
    const { metrics } = await send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  };
  await send("Page.enable");
  await send("Performance.enable", { timeDomain: "threadTicks" });
  await send("Page.addScriptToEvaluateOnNewDocument", { source: `(${watchOpening})()` });
  const before = await worked();
  await send("Page.navigate", { url });
  const times = await run(timesOfOpening);
  const work_ms = (await worked()) - before;
  const reactions = await run(measureReactions);
  await browser.send("Target.closeTarget", { targetId });
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  return { ...times, work_ms, ...reactions };
}

const browser = new Browser();
for (let round = 0; round <= Number(rounds); round++) {
  for (const url of urls) {
    const measured = await measure(browser, url);
    if (round) console.log(JSON.stringify({ url, ...measured }));
  }
}
console.error((await browser.send("Browser.getVersion")).product.replace(/.*\//, ""));
await browser.close();
