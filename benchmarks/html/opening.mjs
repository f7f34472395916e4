/**
 * Opens pages in Chromium, in turn, and prints what each opening took: a JSON object a line, times in milliseconds.
 *
 * Arguments: rounds, then URLs; the first round is a warm-up and prints nothing. CHROMIUM says which browser.
 */

import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../../tests/browser/", import.meta.url))("playwright-core");

const [rounds, ...urls] = process.argv.slice(2);

/** In the page, before anything of its own: notes when the heatmap is on the screen and input would be answered. */
function watchOpening() {
  const drawn = () => {
    const canvas = document.querySelector("canvas.matrix");
    return canvas ? canvas.width > 300 : document.readyState === "complete";
  };
  const look = () => {
    if (!drawn()) return;
    watcher.disconnect();
    requestAnimationFrame(() => {
      // A task that comes after the frame: whatever was clicked meanwhile is answered from here on.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => (globalThis.openedAt = performance.now());
      channel.port2.postMessage(null);
    });
  };
  const watcher = new MutationObserver(look);
  watcher.observe(document, { subtree: true, childList: true, attributes: true });
  document.addEventListener("readystatechange", look);
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

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

/** Seconds that the page's main thread has worked. */
async function workOf(session) {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration").value;
}

for (let round = 0; round <= Number(rounds); round++) {
  for (const url of urls) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.addInitScript(watchOpening);
    const before = await workOf(session);
    await page.goto(url);
    await page.waitForFunction(() => globalThis.openedAt);
    const work_ms = 1000 * ((await workOf(session)) - before);
    const times = await page.evaluate(() => {
      const [navigation] = performance.getEntriesByType("navigation");
      return { opened_ms: globalThis.openedAt, read_ms: navigation.domContentLoadedEventEnd };
    });
    const reactions = await page.evaluate(measureReactions);
    if (round) console.log(JSON.stringify({ url, ...times, work_ms, ...reactions }));
    await context.close();
  }
}
console.error(browser.version());
await browser.close();
