/**
 * The playground in a browser, on a server whose models answer in one step: it shows the API's labels, cosines, pieces and
 * maps.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as b from "./browser.mjs";

before(b.startBrowser);
after(b.stopBrowser);

const TEXT = "Two dogs are running through the snow.";
const PICTURE = join(b.PAGES, "picture.jpg");
const MAPS = { kinds: ["ATTENTION_KIND_ENCODER_SELF", "ATTENTION_KIND_ROLLOUT"], granularity: "GRANULARITY_WORD" };

async function answerOf(path, body) {
  const answer = await fetch(new URL(path, b.SERVER_URL), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await answer.json()).results;
}

/** The rows of a map of two axes. */
function rowsOf(result, kind) {
  const map = result.input.attention.find((each) => each.kind === kind);
  const bytes = Buffer.from(map.data, "base64");
  const [rows, columns] = map.shape.slice(-2);
  const numbers = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
  return Array.from({ length: rows }, (_, row) => numbers.slice(row * columns, (row + 1) * columns));
}

async function choose(page, task, model) {
  await page.getByRole("radio", { name: task, exact: true }).check();
  await page.getByRole("combobox", { name: "Model" }).selectOption(model);
}

async function send(page, task) {
  await page.getByRole("button", { name: task, exact: true }).click();
  await page.locator(".answer:not([aria-busy])").waitFor();
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

test("only tasks of loaded models have a tab", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  assert.deepEqual(await page.locator("fieldset.choice").first().locator("label").allTextContents(), ["Classify", "Encode", "Fill masks", "Detect", "Answer"]);
  assert.equal(await page.getByRole("spinbutton", { name: "Beams" }).isVisible(), false);
  assert.equal(await page.getByRole("checkbox", { name: "Stream" }).isVisible(), false);
  assert.deepEqual(complaints, []);
  await close();
});

test("a text's labels are the API's, and its words have the class token's row of the rollout", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "labels");
  await page.getByRole("textbox", { name: "Text" }).fill(TEXT);
  await page.getByRole("spinbutton", { name: "At most" }).fill("2");
  await send(page, "Classify");
  await page.locator('.source .word:text-is("dogs")').waitFor();
  const [result] = await answerOf("/v1/classify", { texts: [TEXT], model: "labels", top_k: 2, attention: MAPS });
  const items = await page.getByRole("list", { name: "Labels" }).getByRole("listitem").allTextContents();
  assert.deepEqual(items, result.labels.map(({ label, probability }) => label + percent(probability)));
  assert.deepEqual(await page.locator(".outputs .word").allTextContents(), [result.labels[0].label]);
  await page.locator(".outputs .word").first().hover();
  b.assertClose(await b.weightsOf(page, ".source"), rowsOf(result, "ATTENTION_KIND_ROLLOUT")[0], 2e-3);
  await page.getByRole("radio", { name: "Encoder" }).check();
  assert.deepEqual(await page.locator(".outputs .word").allTextContents(), await page.locator(".source .word").allTextContents());
  await b.checkAccessibility(page);
  await b.screenshot(page, "classify-text");
  assert.deepEqual(complaints, []);
  await close();
});

test("each token's label stands beside it", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "tokens");
  await page.getByRole("textbox", { name: "Text" }).fill(TEXT);
  await send(page, "Classify");
  const [result] = await answerOf("/v1/classify", { texts: [TEXT], model: "tokens", attention: MAPS });
  const shown = await page.locator(".token-labels tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map(({ textContent }) => textContent)));
  const expected = result.tokens.map(({ span, labels: [{ label, probability }] }) => [TEXT.slice(span.start ?? 0, span.end), label, percent(probability)]);
  assert.deepEqual(shown, expected);
  assert.equal(await page.locator(".outputs .word").nth(1).textContent(), `Two · ${result.tokens[0].labels[0].label}`);
  assert.deepEqual(complaints, []);
  await close();
});

test("a picture's label lies over the picture, and the commands to copy return it", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "pictures");
  await page.getByLabel("Picture", { exact: true }).setInputFiles(PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const labels = await page.getByRole("list", { name: "Labels" }).locator(".name").allTextContents();
  assert.deepEqual(await page.locator(".filmstrip li").allTextContents(), [labels[0]]);
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  await page.getByRole("button", { name: "Layer 0, head 1" }).click();
  const curl = await page.locator(".same-call code").textContent();
  const { results } = JSON.parse(execFileSync("bash", ["-c", curl.replace("curl ", "curl -s ")], { encoding: "utf-8", cwd: b.PAGES }));
  assert.deepEqual(results[0].labels.map(({ label }) => label), labels);
  await page.getByRole("radio", { name: "Python" }).check();
  const program = await page.locator(".same-call code").textContent();
  assert.match(execFileSync(process.env.PYTHON, ["-c", program], { encoding: "utf-8", cwd: b.PAGES }), new RegExp(labels[0]));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as HTML" }).click()]);
  const saved = join(b.PAGES, "saved.html");
  await download.saveAs(saved);
  const opened = await b.open(b.pageUrl("saved"));
  assert.deepEqual(await opened.page.locator(".outputs .word").allTextContents(), [labels[0]]);
  assert.deepEqual(opened.complaints, []);
  await opened.close();
  await b.screenshot(page, "classify-picture");
  assert.deepEqual(complaints, []);
  await close();
});

test("gates of positions lie over the picture once for each layer, and those of channels are a table", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "gates");
  await page.getByLabel("Picture", { exact: true }).setInputFiles(PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const kinds = ["ATTENTION_KIND_CHANNEL", "ATTENTION_KIND_SPATIAL"];
  const [result] = await answerOf("/v1/classify", { images: [readFileSync(PICTURE).toString("base64")], model: "gates", attention: { kinds } });
  const labels = await page.getByRole("list", { name: "Labels" }).locator(".name").allTextContents();
  assert.deepEqual(labels, result.labels.map(({ label }) => label));
  assert.deepEqual(await page.locator(".filmstrip li").allTextContents(), ["layer 0", "layer 1"]);
  const table = page.getByRole("group", { name: "Gates of channels" });
  const shown = await table.locator("tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map(({ textContent }) => textContent)));
  const expected = rowsOf(result, "ATTENTION_KIND_CHANNEL").map((gates, layer) => [`layer ${layer}`, ...gates.map((gate) => gate.toFixed(2))]);
  assert.deepEqual(shown, expected);
  await b.checkAccessibility(page);
  await b.screenshot(page, "classify-gates");
  assert.deepEqual(complaints, []);
  await close();
});

test("lines have the cosines of their vectors, and each its maps; a link shows them again", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Encode", "vectors");
  const lines = [TEXT, "Where is the library?", "Thank you!"];
  await page.getByRole("textbox", { name: "Texts, one a line" }).fill(`${lines[0]}\n\n ${lines[1]} \n${lines[2]}`);
  await page.getByRole("combobox", { name: "Pooling" }).selectOption("Largest");
  await send(page, "Encode");
  const results = await answerOf("/v1/encode", { texts: lines, model: "vectors", pooling: "POOLING_MAX", normalized: true });
  const cosines = results.map(({ vector }) => results.map((other) => vector.reduce((sum, value, at) => sum + value * other.vector[at], 0)));
  const cellsOf = (of) => of.locator(".cosines td:not(:empty)").allTextContents();
  b.assertClose((await cellsOf(page)).map(Number), cosines.flat(), 0.0051);
  await page.getByRole("button", { name: lines[2] }).click();
  await page.locator('.source .word:text-is("Thank")').waitFor();
  await b.checkAccessibility(page);
  await b.screenshot(page, "encode");
  const again = await b.open(page.url());
  await again.page.locator(".cosines").waitFor();
  assert.deepEqual(await cellsOf(again.page), await cellsOf(page));
  await again.close();
  assert.deepEqual(complaints, []);
  await close();
});

test("masks are written as the model spells them, and filled with the API's pieces", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Fill masks", "masks");
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), "Could you tell me where the <mask> is?");
  await page.getByRole("spinbutton", { name: "At most" }).fill("3");
  await send(page, "Fill masks");
  const text = "Could you tell me where the <mask> is?";
  const [result] = await answerOf("/v1/fill-mask", { texts: [text], model: "masks", top_k: 3, attention: MAPS });
  const pieces = result.masks[0].pieces;
  const items = await page.getByRole("list", { name: "Mask 1" }).locator(".name").allTextContents();
  assert.deepEqual(items.map((item) => item.trim()), pieces.map((piece) => (piece.text || piece.piece).trim()));
  await page.locator(".outputs .word").first().hover();
  const at = result.input.source_words.findIndex(({ text: word }) => word === "<mask>");
  assert.ok(at > 0);
  b.assertClose(await b.weightsOf(page, ".source"), rowsOf(result, "ATTENTION_KIND_ROLLOUT")[at], 2e-3);
  assert.deepEqual(complaints, []);
  await close();
});

test("boxes lie where the API says, each with its map over the picture", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Detect", "boxes");
  await page.getByRole("spinbutton", { name: "Threshold" }).fill("0.2");
  await page.getByRole("spinbutton", { name: "At most" }).fill("4");
  await page.getByLabel("Picture", { exact: true }).setInputFiles(PICTURE);
  await page.locator(".boxed .box").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const image = readFileSync(PICTURE).toString("base64");
  const maps = { kinds: ["ATTENTION_KIND_ALIGNMENT", "ATTENTION_KIND_CROSS"] };
  const [{ detections, input }] = await answerOf("/v1/detect", { images: [image], model: "boxes", threshold: 0.2, top_k: 4, attention: maps });
  assert.ok(detections.length > 1);
  const names = await page.getByRole("list", { name: "Boxes" }).locator(".name").allTextContents();
  assert.deepEqual(names, detections.map(({ label }, at) => `${at + 1} ${label}`), "numbered as in the picture");
  const shown = await page.locator(".boxed").evaluate((figure) => {
    const whole = figure.querySelector("img").getBoundingClientRect();
    return [...figure.querySelectorAll(".box")].flatMap((box) => {
      const own = box.getBoundingClientRect();
      return [(own.left - whole.left) / whole.width, (own.top - whole.top) / whole.height, own.width / whole.width, own.height / whole.height];
    });
  });
  const { image_width: width, image_height: height } = input.image_grid;
  const expected = detections.flatMap(({ box: { left = 0, top = 0, right, bottom } }) => [left / width, top / height, (right - left) / width, (bottom - top) / height]);
  b.assertClose(shown, expected, 0.01);
  assert.equal(await page.locator(".filmstrip li").count(), detections.length);
  await page.getByText("The numbers as a table").click();
  await page.locator(".numbers td:not(:empty)").first().waitFor();
  const numbersOf = () => page.locator(".numbers td:not(:empty)").allTextContents().then((texts) => texts.map(Number));
  b.assertClose(await numbersOf(), rowsOf({ input }, "ATTENTION_KIND_ALIGNMENT").flat(), 1e-3);
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  const cross = input.attention.find(({ kind }) => kind === "ATTENTION_KIND_CROSS");
  const [layers, heads, rows, columns] = cross.shape;
  const bytes = Buffer.from(cross.data, "base64");
  const average = Array.from({ length: rows * columns }, (_, at) => {
    const own = Array.from({ length: layers * heads }, (_, matrix) => bytes.readFloatLE(4 * (matrix * rows * columns + at)));
    return own.reduce((sum, weight) => sum + weight, 0) / own.length;
  });
  b.assertClose(await numbersOf(), average, 1e-3);
  await page.getByRole("checkbox", { name: "Check the map" }).check();
  await send(page, "Detect");
  const explain = { evidence: ["EVIDENCE_ALIGNMENT", "EVIDENCE_RANDOM"] };
  const [explained] = await answerOf("/v1/detect", { images: [image], model: "boxes", threshold: 0.2, top_k: 4, explain });
  await b.checkAccessibility(page);
  const said = explained.detections.map(({ label, explanations: [own] }) => `${label}: falls by ${(own.comprehensiveness ?? 0).toFixed(2)} without`);
  const lines = await page.locator(".checked").allTextContents();
  assert.deepEqual(lines.map((line, at) => line.slice(0, said[at].length)), said);
  await b.screenshot(page, "detect");
  await page.getByRole("checkbox", { name: "Check the map" }).uncheck();
  await page.getByRole("spinbutton", { name: "Threshold" }).fill("1");
  await send(page, "Detect");
  await page.getByText("Nothing was found in this picture.").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("an answer's question looks at the picture, and the picture at the question", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Answer", "answers");
  const question = "Where is the dog?";
  await page.getByRole("textbox", { name: "Question" }).fill(question);
  await page.getByLabel("Picture", { exact: true }).setInputFiles(PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const image = readFileSync(PICTURE).toString("base64");
  const [result] = await answerOf("/v1/answer", { images: [image], questions: [question], model: "answers", attention: MAPS });
  assert.equal(await page.locator(".found").textContent(), result.answer);
  const labels = await page.getByRole("list", { name: "Labels" }).locator(".name").allTextContents();
  assert.deepEqual(labels, result.labels.map(({ label }) => label));
  const words = result.input.source_words;
  assert.deepEqual(await page.locator(".outputs .word").allTextContents(), words.map(({ text }) => text));
  await page.getByText("The numbers as a table").click();
  await page.locator(".numbers td:not(:empty)").first().waitFor();
  const numbersOf = () => page.locator(".numbers td:not(:empty)").allTextContents().then((texts) => texts.map(Number));
  const rolled = rowsOf(result, "ATTENTION_KIND_ROLLOUT");
  await page.getByRole("radio", { name: "Rollout" }).check();
  b.assertClose(await numbersOf(), words.flatMap((_, row) => rolled[row]), 1e-3);
  await page.getByRole("radio", { name: "From the picture to the question" }).check();
  b.assertClose(await numbersOf(), words.flatMap((_, word) => rolled.map((row) => row[word])), 1e-3);
  await b.checkAccessibility(page);
  await b.screenshot(page, "answer");
  assert.deepEqual(complaints, []);
  await close();
});

test("a field that the server refuses is named as the form names it", async () => {
  const { page, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "labels");
  await page.getByRole("textbox", { name: "Text" }).fill("the dog and the man ".repeat(20));
  await page.getByRole("button", { name: "Classify", exact: true }).click();
  await page.getByRole("alert").getByText(/^Text: has \d+ tokens/).waitFor();
  await page.getByRole("button", { name: "Cut its end" }).click();
  await page.getByText(/tokens were too many and were dropped/).waitFor();
  await close();
});

test("an example of another task than translation has no format, and fields show what the API takes by itself", async () => {
  const { page, complaints, close } = await b.open(b.SERVER_URL);
  await choose(page, "Classify", "labels");
  await page.getByRole("button", { name: "A review" }).click();
  await page.locator(".labels li").first().waitFor();
  assert.equal(await page.getByRole("group", { name: "Format" }).isVisible(), false);
  const placeholders = () => page.locator('input[type="number"]:visible').evaluateAll((fields) => fields.map((each) => each.placeholder));
  assert.deepEqual(await placeholders(), ["all", "0"]);
  await choose(page, "Detect", "boxes");
  assert.deepEqual(await placeholders(), ["100", "0.5"]);
  assert.deepEqual(complaints, []);
  await close();
});
