/**
 * The playground's work on several tasks and with several models: what is kept, compared, saved, stopped and mended.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import * as b from "./browser.mjs";

before(b.startBrowser);
after(b.stopBrowser);

const TEXT = "Two dogs are running through the green grass.";
const PICTURE = join(b.PAGES, "picture.jpg");

async function open(address = b.SERVER_URL) {
  const opened = await b.open(address);
  await opened.page.locator(".timings .shares").first().waitFor();
  return opened;
}

async function answerOf(path, body) {
  const answer = await fetch(new URL(path, b.SERVER_URL), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await answer.json()).results[0];
}

const textOf = (locator) =>
  locator.locator(".outputs .line").first().evaluate((line) => {
    const own = line.cloneNode(true);
    own.querySelectorAll(".special").forEach((special) => special.remove());
    return own.textContent.replace(/\s+/g, " ").trim();
  });

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const ready = (page) => page.locator(".saving:visible").first().waitFor();

async function translate(page, text) {
  await page.getByRole("textbox", { name: "Text" }).fill(text);
  await press(page, "Translate");
  await page.locator(`.source .word:text-is("${text.split(" ")[1]}")`).first().waitFor();
  await ready(page);
}

test("a model's card stands below its name, and says that it is a demonstration", async () => {
  const { page, complaints, close } = await open();
  const { models } = await (await fetch(new URL("/v1/models", b.SERVER_URL))).json();
  const { description, provenance } = models.find(({ name }) => name === "everyday");
  assert.ok(description.length > 10);
  const card = page.locator(".card-of-model");
  assert.equal((await card.locator("summary").textContent()).trim(), `demonstration model ${description}`);
  await card.locator("summary").click();
  for (const fact of [provenance.data, provenance.data_license]) assert.ok((await card.textContent()).includes(fact), fact);
  await page.getByRole("combobox", { name: "Model" }).selectOption("multi30k");
  assert.match(await card.textContent(), /Multi30k/);
  await b.checkAccessibility(page);
  assert.deepEqual(complaints, []);
  await close();
});

test("two models answer side by side, and a link shows the same comparison", async () => {
  const { page, complaints, close } = await open();
  await page.getByRole("combobox", { name: "Compare with" }).selectOption("multi30k");
  await translate(page, TEXT);
  const columns = page.locator(".column");
  await columns.nth(1).locator(".differences").waitFor();
  const shown = [];
  for (const [at, model] of ["everyday", "multi30k"].entries()) {
    const { hypotheses } = await answerOf("/v1/translate", { texts: [TEXT], model, target_language: "de" });
    shown.push(await textOf(columns.nth(at)));
    assert.equal(shown[at], hypotheses[0].text);
    assert.equal(await columns.nth(at).getByRole("heading", { name: model, exact: true }).count(), 1);
  }
  assert.notEqual(shown[0], shown[1]);
  const marked = await columns.nth(1).locator(".outputs .word.differs").allTextContents();
  assert.ok(marked.length > 0);
  assert.deepEqual(marked.filter((word) => !shown[1].includes(word)), []);
  assert.equal(await columns.nth(0).locator(".outputs .word.differs").count(), 0);
  await b.checkAccessibility(page);
  await b.screenshot(page, "playground-compared");
  const address = page.url();
  assert.match(address, /beside=multi30k/);
  await page.goto("about:blank");
  await page.goto(address);
  await columns.nth(1).locator(".differences").waitFor();
  assert.deepEqual([await textOf(columns.nth(0)), await textOf(columns.nth(1))], shown);
  await page.getByRole("combobox", { name: "To" }).selectOption("fr"); // multi30k writes German only
  assert.equal(await page.getByRole("combobox", { name: "Compare with" }).count(), 0);
  await press(page, "Translate");
  await ready(page);
  assert.equal(await columns.count(), 1);
  assert.deepEqual(complaints, []);
  await close();
});

test("of two models that are compared one may fail: the other's answer stays", async () => {
  const { page, close } = await open();
  await page.route("**/v1/translate/stream", async (route) => {
    const isOther = route.request().postDataJSON().model === "multi30k";
    const body = JSON.stringify({ title: "Not found", status: 404, detail: "no model 'multi30k'" });
    await (isOther ? route.fulfill({ status: 404, contentType: "application/problem+json", body }) : route.continue());
  });
  await page.getByRole("combobox", { name: "Compare with" }).selectOption("multi30k");
  await translate(page, TEXT);
  await page.locator(".column").nth(1).getByRole("alert").getByText("no model 'multi30k'").waitFor();
  assert.equal(await page.locator(".column").nth(0).locator(".problem").textContent(), "");
  assert.equal(await page.locator(".column").nth(1).locator(".answer").isVisible(), false);
  await close();
});

test("an answer is saved as a page that shows the same, and as a picture", async () => {
  const { page, complaints, close } = await open();
  await translate(page, "The green <b>house & garden is mine.");
  const shown = await textOf(page);
  const saved = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), press(page, name)]);
    const path = join(b.PAGES, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };
  const file = await saved("Save as HTML");
  assert.ok(file.endsWith("attention-everyday.html"));
  const copy = await b.open(pathToFileURL(file).href);
  assert.equal(await textOf(copy.page), shown);
  await copy.page.locator(".outputs .word").nth(1).hover();
  assert.ok((await b.weightsOf(copy.page, ".source")).some((weight) => weight > 0.2));
  assert.deepEqual(copy.complaints, []);
  await copy.close();
  await checkPicture(page, await saved("Save as PNG"));

  await page.getByRole("radio", { name: "Caption" }).check();
  await page.getByLabel("Picture").setInputFiles(PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await ready(page);
  const captioned = await b.open(pathToFileURL(await saved("Save as HTML")).href);
  await captioned.page.locator(".filmstrip li").first().waitFor();
  assert.deepEqual(captioned.complaints, []);
  await captioned.close();
  await checkPicture(page, await saved("Save as PNG"));
  assert.deepEqual(complaints, []);
  await close();
});

/** Asserts that a file is a picture in which much is drawn. */
async function checkPicture(page, path) {
  const file = readFileSync(path).toString("base64");
  const { width, height, colours } = await page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, image.width, image.height);
    return { width: image.width, height: image.height, colours: new Set(new Uint32Array(data.buffer)).size };
  }, file);
  assert.ok(width >= 640 && height > 150 && colours > 40, `${width} x ${height}, ${colours} colours`);
}

test("several outputs are compared: words that the best has not are marked", async () => {
  const { page, close } = await open();
  await page.getByRole("spinbutton", { name: "Beams" }).fill("4");
  await page.getByRole("spinbutton", { name: "Outputs" }).fill("3");
  await translate(page, TEXT);
  const lines = await page.locator(".hypothesis .line").evaluateAll((all) =>
    all.map((line) => [...line.querySelectorAll(".word:not(.special)")].map((word) => [word.textContent, word.classList.contains("differs")])),
  );
  assert.equal(lines.length, 3);
  const best = lines[0].map(([word]) => word);
  for (const line of lines.slice(1)) {
    const common = line.filter(([, differs]) => !differs).map(([word]) => word);
    let at = 0;
    for (const word of best) if (word === common[at]) at++;
    assert.equal(at, common.length); // what is not marked stands in the best output, in the same order
    assert.ok(line.length > common.length || line.length < best.length);
  }
  const counts = await page.locator(".differences").allTextContents();
  assert.match(counts[0], /^(\d+ words? differs?|the same)$/);
  await close();
});

/** Holds calls back until they are released; counts them. */
async function hold(page, pattern) {
  const held = { count: 0, release: () => {} };
  const released = new Promise((resolve) => (held.release = resolve));
  await page.route(pattern, async (route) => {
    held.count++;
    await released;
    await route.continue().catch(() => {}); // it may have been stopped
  });
  return held;
}

test("choosing a picture and pressing the button do not cancel each other", async () => {
  const { page, complaints, close } = await open();
  const held = await hold(page, "**/v1/caption/stream");
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.getByLabel("Picture").setInputFiles(PICTURE);
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await press(page, "Caption");
  held.release();
  await page.locator(".filmstrip li").first().waitFor();
  await ready(page);
  assert.equal(held.count, 1);
  assert.equal(await page.getByRole("button", { name: "Stop" }).isVisible(), false);
  assert.deepEqual(complaints, []);
  await close();
});

test("pressing the button with another text takes the place of the call that runs; Stop ends it", async () => {
  const { page, close } = await open();
  const held = await hold(page, "**/v1/translate/stream");
  const text = page.getByRole("textbox", { name: "Text" });
  await text.fill("The first one.");
  await press(page, "Translate");
  await text.fill("The second one.");
  await press(page, "Translate");
  held.release();
  await page.locator('.source .word:text-is("second")').waitFor();
  await ready(page);
  await page.unroute("**/v1/translate/stream");
  await hold(page, "**/v1/translate/stream");
  await text.fill("The third one.");
  await press(page, "Translate");
  await press(page, "Stop");
  await page.getByText("stopped").waitFor();
  assert.equal(await page.locator(".problem").textContent(), "");
  await close();
});

test("each task keeps its own text, options and result", async () => {
  const { page, complaints, close } = await open();
  await page.getByRole("combobox", { name: "To" }).selectOption("es");
  await translate(page, TEXT);
  const translated = await textOf(page);
  const address = page.url();
  await page.getByRole("radio", { name: "Summarize" }).check();
  assert.equal(await page.locator(".answer:visible").count(), 0);
  await press(page, "Summarize");
  await ready(page);
  const summary = await textOf(page);
  await page.getByRole("radio", { name: "Translate" }).check();
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), TEXT);
  assert.equal(await page.getByRole("combobox", { name: "To" }).inputValue(), "es");
  assert.equal(await textOf(page), translated);
  assert.equal(page.url(), address);
  await page.getByRole("radio", { name: "Summarize" }).check();
  assert.equal(await textOf(page), summary);
  assert.deepEqual(complaints, []);
  await close();
});

test("the address says which task is shown; back, forward and a link opened in the tab lead to it", async () => {
  const { page, complaints, close } = await open();
  const state = () => new URLSearchParams(new URL(page.url()).hash.slice(1));
  await translate(page, TEXT);
  const translated = await textOf(page);
  await page.getByRole("radio", { name: "Caption" }).check();
  assert.equal(state().get("task"), "caption");
  await page.getByRole("radio", { name: "Summarize" }).check();
  assert.equal(state().get("task"), "summarize");
  await page.goBack();
  await page.getByRole("button", { name: "Caption", exact: true }).waitFor();
  await page.goBack();
  await page.getByRole("button", { name: "Translate", exact: true }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), TEXT);
  assert.equal(await textOf(page), translated, "kept, not made anew");
  await page.goForward();
  await page.getByRole("button", { name: "Caption", exact: true }).waitFor();
  await page.evaluate(() => (location.hash = "#task=translate&model=everyday&to=fr&text=Where+is+she%3F"));
  await page.locator('.source .word:text-is("she")').waitFor();
  await ready(page);
  assert.equal(state().get("to"), "fr");
  assert.equal(await page.getByRole("combobox", { name: "To" }).inputValue(), "fr");
  assert.deepEqual(complaints, []);
  await close();
});

/** A server in front of the real one that dies in the middle of the answers of a path, as long as `dies`. */
async function startProxy(path) {
  const proxy = { dies: false, url: "", stop: () => {} };
  const server = http.createServer((request, answer) => {
    const { hostname, port } = new URL(b.SERVER_URL);
    const own = http.request({ hostname, port, path: request.url, method: request.method, headers: { ...request.headers, host: `${hostname}:${port}` } });
    own.on("response", (real) => {
      answer.writeHead(real.statusCode, real.headers);
      if (!proxy.dies || !request.url.startsWith(path)) {
        real.pipe(answer);
        return;
      }
      real.once("data", (piece) => {
        const half = Math.floor(piece.length / 2);
        answer.write(piece.subarray(0, half), () => answer.socket?.destroy());
        real.destroy();
      });
    });
    own.on("error", () => answer.destroy());
    request.pipe(own);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}/`;
  proxy.stop = () => server.close() && server.closeAllConnections();
  return proxy;
}

for (const [name, isStreaming] of [["a stream", true], ["a whole answer", false]]) {
  test(`a server that dies in the middle of ${name}: the connection is lost, and Retry tries again`, async () => {
    const proxy = await startProxy("/v1/translate");
    const { page, close } = await open(proxy.url);
    await page.getByRole("checkbox", { name: "Stream" }).setChecked(isStreaming);
    proxy.dies = true;
    await press(page, "Translate");
    const alert = page.getByRole("alert");
    await alert.getByText("Connection lost.").waitFor();
    assert.doesNotMatch(await alert.textContent(), /Error|JSON|network/);
    proxy.dies = false;
    await alert.getByRole("button", { name: "Retry" }).click();
    await ready(page);
    assert.equal(await page.locator(".problem").textContent(), "");
    await close();
    proxy.stop();
  });
}

test("an error speaks the form's words, and its remedy works", async () => {
  const { page, close } = await open();
  await page.getByRole("spinbutton", { name: "Beams" }).fill("2");
  await page.getByRole("spinbutton", { name: "Outputs" }).fill("3");
  await press(page, "Translate");
  const alert = page.getByRole("alert");
  await alert.getByText("Outputs: is 3, more than Beams, 2").waitFor();
  await press(page, "Use 3 beams");
  await ready(page);
  assert.equal(await page.locator(".hypothesis").count(), 3);
  assert.equal(await page.getByRole("spinbutton", { name: "Beams" }).inputValue(), "3");
  await close();
});

const LONG = "Please note that the office will be closed on Friday while the heating is repaired. ".repeat(45).trim();

test("a text that is too long is refused or cut with the remedy beside it: to split it", async () => {
  const { page, complaints, close } = await open();
  await page.getByRole("radio", { name: "Summarize" }).check();
  await page.getByRole("textbox", { name: "Text" }).fill(LONG);
  await press(page, "Summarize");
  await page.locator(".timings").getByText(/tokens were too many and were dropped/).waitFor();
  await ready(page);
  const cut = await textOf(page);
  await page.getByRole("combobox", { name: "Long texts" }).selectOption("Refuse");
  await press(page, "Summarize");
  await page.getByRole("alert").getByText(/^Text: has \d+ tokens; this model takes at most \d+$/).waitFor();
  await page.getByRole("alert").getByRole("button", { name: "Split it into parts" }).click();
  await ready(page);
  const model = await page.getByRole("combobox", { name: "Model" }).inputValue();
  const style = await page.getByRole("combobox", { name: "Style" }).inputValue();
  const whole = await answerOf("/v1/summarize", { texts: [LONG], model, style, truncation: "split_and_join" });
  assert.equal(await textOf(page), whole.hypotheses[0].text.trim());
  assert.ok(whole.hypotheses[0].text.length > cut.length);
  assert.match(await page.locator(".same-call code").textContent(), /"truncation":"split_and_join"/);
  assert.match(page.url(), /long=TRUNCATION_SPLIT_AND_JOIN/);
  await page.getByRole("radio", { name: "Python" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /truncation="split_and_join"/);
  assert.deepEqual(complaints.filter((text) => !text.includes("400")), []);
  await close();
});

test("a sample picture that cannot be loaded is said in words", async () => {
  const { page, close } = await open();
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.route("**/assets/cat.jpg", (route) => route.abort());
  await press(page, "A cat");
  await page.getByRole("alert").getByText("The server cannot be reached.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Retry" }).count(), 0); // there is no call to repeat
  await close();
});

test("the API's page can be read by all", async () => {
  const { page, close } = await open();
  await page.getByRole("link", { name: "API" }).click();
  await page.getByRole("heading", { name: "JSON API" }).waitFor();
  await page.getByRole("link", { name: /\/v1\/translate$/ }).click();
  assert.match(await page.locator("h2:target").textContent(), /POST \/v1\/translate/);
  // The sections are alike, and axe takes its time.
  await page.evaluate(() => [...document.querySelectorAll("section")].filter((_, at) => at % 9).forEach((each) => each.remove()));
  await b.checkAccessibility(page);
  await close();
});
