/**
 * The playground in a browser, on a server with the shipped models: it shows the API's answers.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as b from "./browser.mjs";

before(b.startBrowser);
after(b.stopBrowser);

const EMAIL =
  "Hello everyone, the budget meeting that was planned for Thursday morning in Zyltham has been moved to Friday at 2 pm," +
  " since the large conference room is being painted. Please send me the final numbers by Wednesday evening.";
const TEXT = "The library is next to the old church.";
const PICTURE = join(b.PAGES, "picture.jpg");

/** The API's answer to the same request. */
async function answerOf(path, body) {
  const answer = await fetch(new URL(path, b.SERVER_URL), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

function numbersOf(map) {
  const bytes = Buffer.from(map.data, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
}

const mapOf = (result, kind) => result.hypotheses[0].attention.find((map) => map.kind === kind);

const MAPS = { kinds: ["ATTENTION_KIND_ALIGNMENT", "ATTENTION_KIND_CROSS"], granularity: "GRANULARITY_WORD" };

async function openPlayground(options) {
  const opened = await b.open(b.SERVER_URL, options);
  await opened.page.getByRole("button", { name: "Translate" }).waitFor();
  await opened.page.locator(".timings .shares").waitFor();
  return opened;
}

/** The output's text: that of the page, or else its words and the gaps between them, without special tokens and notes. */
const textOf = (page) =>
  page.locator('.passage-text[aria-label="Translated text"]:visible, .outputs .line:visible').first().evaluate((text) => {
    const own = text.cloneNode(true);
    own.querySelectorAll(".special, .warning").forEach((added) => added.remove());
    return own.textContent;
  });

async function translate(page, text) {
  await page.getByRole("textbox", { name: "Text" }).fill(text);
  await page.getByRole("button", { name: "Translate" }).click();
  await page.locator(".answer:not([aria-busy])").waitFor();
  await page.locator(`.source .word:text-is("${text.split(" ")[1]}")`).waitFor();
}

const wordsOf = async (page) => (await page.locator(".outputs .word:not(.special)").allTextContents()).join(" ");

test("the page shows the API's words and weights", async () => {
  const { page, complaints, close } = await openPlayground();
  await translate(page, TEXT);
  const { results } = await answerOf("/v1/translate", { texts: [TEXT], model: "everyday", target_language: "de", attention: MAPS });
  assert.equal(await wordsOf(page), results[0].hypotheses[0].words.filter(({ special }) => !special).map(({ text }) => text).join(" "));

  const alignment = mapOf(results[0], "ATTENTION_KIND_ALIGNMENT");
  const columns = alignment.shape[1];
  for (const row of [0, 2, 4]) {
    await page.locator(".outputs .word").nth(row).hover();
    b.assertClose(await b.weightsOf(page, ".source"), numbersOf(alignment).slice(row * columns, (row + 1) * columns), 2e-3);
  }

  const cross = mapOf(results[0], "ATTENTION_KIND_CROSS");
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  await page.getByRole("button", { name: "Layer 1, head 2" }).click();
  await page.locator(".outputs .word").nth(3).hover();
  const [, heads, rows] = cross.shape;
  const start = ((1 * heads + 2) * rows + 3) * columns;
  b.assertClose(await b.weightsOf(page, ".source"), numbersOf(cross).slice(start, start + columns), 2e-3);
  assert.deepEqual(complaints, []);
  await close();
});

test("the page asks for all of its modules at once", async () => {
  const { page, complaints, close } = await openPlayground();
  const [loaded, preloaded] = await page.evaluate(() => [
    performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((path) => path.endsWith(".js")),
    [...document.querySelectorAll("link[rel=modulepreload]")].map((link) => link.getAttribute("href")),
  ]);
  assert.deepEqual([...new Set(loaded)].sort(), ["/assets/playground.js", ...preloaded].sort());
  assert.equal(loaded.length, new Set(loaded).size);
  assert.deepEqual(complaints, []);
  await close();
});

test("tokens arrive one after the other, each with its row", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.evaluate(() => {
    // A fast server answers within a frame, so every state is painted here; the heatmap's rows are counted with the words.
    globalThis.paintedSizes = [];
    globalThis.requestAnimationFrame = (paint) => {
      queueMicrotask(() => {
        paint(0);
        const label = document.querySelector("canvas.matrix").getAttribute("aria-label");
        globalThis.paintedSizes.push([document.querySelectorAll(".outputs .word").length, Number(label.match(/\d+/)[0])]);
      });
      return 1;
    };
  });
  await translate(page, "The children were playing in the garden behind the house.");
  const sizes = await page.evaluate(() => globalThis.paintedSizes);
  assert.ok(sizes.length > 5);
  assert.deepEqual(sizes, sizes.map((_, at) => [at + 1, at + 1]));
  assert.deepEqual(complaints, []);
  await close();
});

test("several hypotheses are the API's, in its order", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("spinbutton", { name: "Beams" }).fill("4");
  await page.getByRole("spinbutton", { name: "Outputs" }).fill("3");
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await translate(page, TEXT);
  const generation = { num_beams: 4, num_return_sequences: 3 };
  const { results } = await answerOf("/v1/translate", { texts: [TEXT], model: "everyday", target_language: "de", generation });
  const scores = await page.locator(".hypothesis .score").allTextContents();
  assert.deepEqual(scores, results[0].hypotheses.map(({ score }) => `score ${score.toFixed(3)}`));
  await b.screenshot(page, "playground-beams");
  await close();
});

test("the curl command to copy returns the same text", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("combobox", { name: "To" }).selectOption("fr");
  await translate(page, "It's a quiet evening.");
  const curl = await page.locator(".same-call code").textContent();
  assert.match(curl, /"kinds":\[("[a-z_]+",?)+\],"granularity":"word"/);
  const { results } = JSON.parse(execFileSync("bash", ["-c", curl.replace("curl ", "curl -s ")], { encoding: "utf-8" }));
  assert.equal(results[0].hypotheses[0].words.filter(({ special }) => !special).map(({ text }) => text).join(" "), await wordsOf(page));
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), curl);
  await page.getByRole("radio", { name: "Python" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /client\.translate\("It's a quiet evening\.", to="fr", model="everyday"/);
  await page.getByRole("radio", { name: "grpcurl" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /'It'\\''s|It'\\''s a quiet/);
  await close();
});

test("the Python program to copy runs: unary, streaming, with a picture", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("radio", { name: "Python" }).check();
  const ran = async () => {
    const program = await page.locator(".same-call code").textContent();
    return execFileSync(process.env.PYTHON, ["-c", program], { encoding: "utf-8", cwd: b.PAGES });
  };
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("textbox", { name: "Text" }).fill('He said: "It\'s \\ late 😀"\nand left.');
  await page.getByRole("button", { name: "Translate" }).click();
  await page.locator(".source .word").getByText("late", { exact: true }).waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  assert.equal((await ran()).trim(), (await textOf(page)).trim());
  assert.match(readFileSync(join(b.PAGES, "attention.html"), "utf-8"), /late/);
  await page.getByRole("checkbox", { name: "Stream" }).check();
  assert.match(await ran(), /Started\b.*Finished\b/s);
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.getByLabel("Picture").setInputFiles(PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  assert.equal((await ran()).trim(), (await textOf(page)).trim());
  const curl = await page.getByRole("radio", { name: "curl", exact: true }).check().then(() => page.locator(".same-call code").textContent());
  const { results } = JSON.parse(execFileSync("bash", ["-c", curl.replace("curl ", "curl -s ")], { encoding: "utf-8", cwd: b.PAGES }));
  assert.equal(results[0].hypotheses[0].text, (await textOf(page)).trim());
  await close();
});

test("a summary streams, and its copied words are marked", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("radio", { name: "Summarize" }).check();
  await page.getByRole("textbox", { name: "Text" }).fill(EMAIL);
  await page.getByRole("button", { name: "Summarize" }).click();
  await page.locator(".source .word").getByText("Zyltham", { exact: true }).waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const model = await page.getByRole("combobox", { name: "Model" }).inputValue();
  const style = await page.getByRole("combobox", { name: "Style" }).inputValue();
  const { results } = await answerOf("/v1/summarize", { texts: [EMAIL], model, style, attention: MAPS });
  const [hypothesis] = results[0].hypotheses;
  assert.equal(await wordsOf(page), hypothesis.words.filter(({ special }) => !special).map(({ text }) => text).join(" "));
  const isCopied = ({ tokens }) => hypothesis.tokens.slice(tokens.start ?? 0, tokens.end).every(({ copied }) => copied);
  const copied = hypothesis.words.filter((word) => !word.special && isCopied(word)).map(({ text }) => text);
  assert.ok(copied.length > 0);
  assert.deepEqual(await page.locator(".outputs .word.copied").allTextContents(), copied);
  await page.locator(".outputs .word.copied").first().hover();
  await page.getByText("It was copied from the source.").waitFor();
  const alignment = mapOf(results[0], "ATTENTION_KIND_ALIGNMENT");
  const row = await page.locator(".outputs .word.copied").first().evaluate((word) => Number(word.dataset.index));
  const [, columns] = alignment.shape;
  b.assertClose(await b.weightsOf(page, ".source"), numbersOf(alignment).slice(row * columns, (row + 1) * columns), 2e-3);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await b.screenshot(page, `playground-summary-${colorScheme}`);
  }
  await b.checkAccessibility(page);
  assert.deepEqual(complaints, []);
  await close();
});

test("a dropped picture is captioned", async (t) => {
  const { models } = await (await fetch(new URL("/v1/models?task=TASK_CAPTIONING", b.SERVER_URL))).json();
  if (!models?.some(({ state }) => state === "MODEL_STATE_READY")) {
    t.skip("this server has no captioning model");
    return;
  }
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("radio", { name: "Caption" }).check();
  const file = readFileSync(PICTURE).toString("base64");
  const dropped = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "picture.jpg", { type: "image/jpeg" }));
    return transfer;
  }, file);
  await page.locator(".drop").dispatchEvent("drop", { dataTransfer: dropped });
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  const model = await page.getByRole("combobox", { name: "Model" }).inputValue();
  const { results } = await answerOf("/v1/caption", { images: [file], model, attention: MAPS });
  assert.equal(await wordsOf(page), results[0].hypotheses[0].words.filter(({ special }) => !special).map(({ text }) => text).join(" "));
  const alignment = mapOf(results[0], "ATTENTION_KIND_ALIGNMENT");
  const numbers = numbersOf(alignment);
  await page.locator("canvas.picture").focus();
  await page.keyboard.press("ArrowRight");
  const column = Array.from({ length: alignment.shape[0] }, (_, row) => numbers[row * alignment.shape[1] + 1 + (results[0].image_grid.first_position ?? 0)]);
  b.assertClose(await b.weightsOf(page, ".outputs"), column, 2e-3);
  await page.locator(".outputs .word").nth(1).click();
  await b.screenshot(page, "playground-caption");
  assert.deepEqual(complaints, []);
  await close();
});

/** Parses grpcurl's arguments as grpcurl does: JSON to the request's message, strictly; one call; prints the text. */
const AS_GRPCURL = `
import shlex, sys
import grpc
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from regard.v1 import regard_pb2

name, is_plain, option, body, target, method = shlex.split(sys.argv[1])
assert (name, is_plain, option) == ("grpcurl", "-plaintext", "-d")
service, _, method = method.rpartition("/")
described = regard_pb2.DESCRIPTOR.services_by_name[service.rpartition(".")[2]].methods_by_name[method]
assert described.containing_service.full_name == service
request = json_format.Parse(body if body != "@" else sys.stdin.read(), GetMessageClass(described.input_type)())
with grpc.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
    call = channel.unary_stream if described.server_streaming else channel.unary_unary
    answers = call(f"/{service}/{method}", lambda sent: sent.SerializeToString(), GetMessageClass(described.output_type).FromString)
    last = list(answers(request))[-1].finished.result if described.server_streaming else answers(request).results[0]
print(last.hypotheses[0].text)
`;

test("the grpcurl command to copy is a valid call: unary, streaming, with a picture", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("radio", { name: "grpcurl" }).check();
  const ran = async () => {
    const shown = await page.locator(".same-call code").textContent();
    const [, before, command] = shown.match(/^(?:(\{.*\}) \|\n {2})?(grpcurl .*)$/s);
    const input = before ? execFileSync("bash", ["-c", before], { cwd: b.PAGES }) : undefined;
    return execFileSync(process.env.PYTHON, ["-c", AS_GRPCURL, command], { encoding: "utf-8", input }).trim();
  };
  for (const isStreaming of [true, false]) {
    await page.getByRole("checkbox", { name: "Stream" }).setChecked(isStreaming);
    await translate(page, "It's a \"quiet\" evening.");
    assert.equal(await ran(), (await textOf(page)).trim());
  }
  await drop(page.locator("body"), "picture.jpg", "image/jpeg", readFileSync(PICTURE));
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  assert.equal(await ran(), (await textOf(page)).trim());
  await close();
});

/** Drops a file on an element. */
async function drop(locator, name, type, bytes) {
  const transfer = await locator.page().evaluateHandle(
    ([base64, name, type]) => {
      const transfer = new DataTransfer();
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type }));
      return transfer;
    },
    [bytes.toString("base64"), name, type],
  );
  await locator.dispatchEvent("drop", { dataTransfer: transfer });
}

test("a picture can be dropped anywhere on the page, even during a call", async () => {
  const { page, complaints, close } = await openPlayground();
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/v1/translate/stream", (route) => held.then(() => route.abort()).catch(() => {}));
  await page.getByRole("button", { name: "Translate" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await drop(page.getByRole("textbox", { name: "Text" }), "picture.jpg", "image/jpeg", readFileSync(PICTURE));
  await page.locator(".filmstrip li").first().waitFor();
  await page.getByRole("button", { name: "Caption" }).waitFor();
  assert.equal(await page.getByRole("radio", { name: "Caption" }).isChecked(), true);
  release();
  assert.deepEqual(complaints, []);
  await close();
});

test("a dropped file that cannot be read is refused in words, and the earlier answer disappears", async () => {
  const { page, complaints, close } = await openPlayground();
  await drop(page.locator("body"), "broken.jpg", "image/jpeg", Buffer.from("no picture"));
  await page.getByRole("alert").getByText("Your browser cannot read broken.jpg as one.").waitFor();
  assert.equal(await page.locator(".answer").isVisible(), false);
  assert.deepEqual(complaints, []);
  await page.getByRole("radio", { name: "Translate" }).check();
  await drop(page.locator("body"), "program.exe", "application/octet-stream", Buffer.from([0, 1, 2]));
  await page.getByRole("alert").getByText(/media_type/).waitFor();
  assert.equal(await page.locator(".document").isVisible(), false);
  await page.getByRole("button", { name: "Translate" }).waitFor();
  await close();
});

const PAGE =
  "The new garden\n\nOur school has a new garden. It is behind the old house.\n\n- Please bring water.\n" +
  "- Write to info@example.org.\n\nhttps://example.org/garden\n";

const DE = { model: "everyday", target_language: "de" };
const sideOf = (page, name) => page.getByRole("group", { name: `${name} text` });
const slice = (text, { start = 0, end = 0 }) => Array.from(text).slice(start, end).join("");

/** Sends a text that has layout. */
async function translatePage(page, text) {
  await page.getByRole("textbox", { name: "Text" }).fill(text);
  await page.getByRole("button", { name: "Translate" }).click();
  await page.locator(".answer:not([aria-busy])").waitFor();
  await page.locator(".passage .segment").first().waitFor();
}

for (const isStreaming of [true, false]) {
  test(`a page keeps its layout, and its segments light each other: ${isStreaming ? "streaming" : "unary"}`, async () => {
    const { page, complaints, close } = await openPlayground();
    await page.getByRole("checkbox", { name: "Stream" }).setChecked(isStreaming);
    await translatePage(page, PAGE);
    const { results } = await answerOf("/v1/translate", { texts: [PAGE], ...DE, attention: MAPS });
    const [{ segments, hypotheses }] = results;
    const [source, output] = [sideOf(page, "Source"), sideOf(page, "Translated")];
    assert.equal(await source.textContent(), PAGE);
    assert.equal(await output.textContent(), hypotheses[0].text);
    assert.equal(hypotheses[0].text.replace(/[^\n]/g, ""), PAGE.replace(/[^\n]/g, ""));
    assert.deepEqual(await source.locator(".segment").allTextContents(), segments.map((segment) => slice(PAGE, segment.source)));
    const targets = segments.map((segment) => slice(hypotheses[0].text, segment.target));
    assert.deepEqual(await output.locator(".segment").allTextContents(), targets);

    await source.locator(".segment").nth(2).hover();
    assert.deepEqual(await output.locator(".lit").allTextContents(), [targets[2]]);
    await output.locator(".segment").nth(1).hover();
    assert.deepEqual(await source.locator(".lit").allTextContents(), [slice(PAGE, segments[1].source)]);
    await page.locator("h1").hover();
    assert.equal(await page.locator(".segment.lit").count(), 0);
    assert.deepEqual(complaints, []);
    await close();
  });
}

test("a chosen segment shows its own words and weights, by keys too", async () => {
  const { page, complaints, close } = await openPlayground();
  await translatePage(page, PAGE);
  const { results } = await answerOf("/v1/translate", { texts: [PAGE], ...DE, attention: MAPS });
  const [{ segments, hypotheses }] = results;
  await sideOf(page, "Source").locator(".segment").first().focus();
  for (const key of ["ArrowRight", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  assert.deepEqual(
    await page.locator('.segment[aria-pressed="true"]').allTextContents(),
    [slice(PAGE, segments[2].source), slice(hypotheses[0].text, segments[2].target)],
  );
  const map = hypotheses[0].attention.find(({ kind, segment }) => kind === "ATTENTION_KIND_ALIGNMENT" && segment === 2);
  const words = hypotheses[0].words.slice(map.target_offset, map.target_offset + map.shape[0]);
  assert.equal(await wordsOf(page), words.filter(({ special }) => !special).map(({ text }) => text).join(" "));
  for (const row of [0, words.length - 1]) {
    await page.locator(".outputs .word").nth(row).hover();
    const columns = map.shape[1];
    b.assertClose(await b.weightsOf(page, ".source"), numbersOf(map).slice(row * columns, (row + 1) * columns), 2e-3);
  }
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  await page.getByRole("button", { name: "Layer 1, head 2" }).click();
  const copied = segments.findIndex((segment) => segment.copied);
  await sideOf(page, "Translated").locator(".segment").nth(copied).click();
  await page.getByText("This segment was copied: no model read it.").waitFor();
  assert.equal(await page.locator(".view").isVisible(), false);
  assert.deepEqual(complaints, []);
  await close();
});

test("a long page has the maps of each segment, in bytes", async () => {
  const { page, complaints, close } = await openPlayground();
  const text = PAGE.repeat(6);
  assert.ok(text.length > 600);
  await translatePage(page, text);
  const segments = sideOf(page, "Source").locator(".segment");
  await segments.nth(20).click();
  await page.locator(".outputs .word").first().hover();
  const weights = await b.weightsOf(page, ".source");
  assert.ok(weights.some((weight) => weight > 0.05));
  assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 0.05);
  assert.deepEqual(complaints, []);
  await close();
});

test("several outputs of a page show their own words of the chosen segment", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("spinbutton", { name: "Beams" }).fill("3");
  await page.getByRole("spinbutton", { name: "Outputs" }).fill("2");
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await translatePage(page, PAGE);
  const generation = { num_beams: 3, num_return_sequences: 2 };
  const { results } = await answerOf("/v1/translate", { texts: [PAGE], ...DE, attention: MAPS, generation });
  await sideOf(page, "Source").locator(".segment").nth(1).click();
  const shown = await page.locator(".hypothesis .line").evaluateAll((lines) =>
    lines.map((line) => [...line.querySelectorAll(".word:not(.special)")].map((word) => word.textContent).join(" ")),
  );
  const own = results[0].hypotheses.map(({ words, attention }) => {
    const map = attention.find(({ kind, segment }) => kind === "ATTENTION_KIND_ALIGNMENT" && segment === 1);
    const [from, to] = [map.target_offset ?? 0, (map.target_offset ?? 0) + map.shape[0]];
    return words.slice(from, to).filter(({ special }) => !special).map(({ text }) => text).join(" ");
  });
  assert.equal(own.length, 2);
  assert.deepEqual(shown, own);
  assert.deepEqual(complaints, []);
  await close();
});

test("warnings stand in words behind the segment that they concern", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.route("**/v1/translate", async (route) => {
    const body = { ...route.request().postDataJSON(), generation: { max_new_tokens: 4 } };
    await route.continue({ postData: JSON.stringify(body) });
  });
  await translatePage(page, PAGE);
  const generation = { max_new_tokens: 4 };
  const { results } = await answerOf("/v1/translate", { texts: [PAGE], ...DE, attention: MAPS, generation });
  const [{ warnings, segments }] = results;
  assert.ok(warnings.length > 1);
  const shown = await page.locator(".passage .segment.warned").evaluateAll((warned) =>
    warned.map((segment) => {
      const notes = segment.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent);
      return [Number(segment.dataset.segment), notes, segment.nextElementSibling.textContent];
    }),
  );
  const expected = segments.map((_, index) => [index, warnings.filter(({ segment }) => segment === index).map(({ message }) => message)]);
  assert.deepEqual(shown.map(([index, notes]) => [index, notes]), expected.filter(([, notes]) => notes.length));
  assert.ok(shown.every(([, [first], next]) => first === next));
  await sideOf(page, "Source").locator(".segment").nth(1).hover();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await b.checkAccessibility(page);
    await b.screenshot(page, `playground-warnings-${colorScheme}`);
  }
  await translate(page, TEXT);
  await page.locator(".answer .warning, .answer ul.warnings li").first().waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

const HTML = '<h1>Our new house</h1>\n<p>The <b>red</b> door is <a href="https://example.org/door">behind the garden</a>.</p>\n';

test("HTML is shown as code and as rendered", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("radio", { name: "HTML" }).check();
  await translatePage(page, HTML);
  const text_options = { format: "FORMAT_HTML" };
  const { results } = await answerOf("/v1/translate", { texts: [HTML], ...DE, text_options });
  assert.equal(await sideOf(page, "Source").textContent(), HTML);
  assert.equal(await sideOf(page, "Translated").textContent(), results[0].hypotheses[0].text);
  const source = page.frameLocator('iframe[title="Source as rendered"]');
  const output = page.frameLocator('iframe[title="Translation as rendered"]');
  assert.equal(await source.locator("b").textContent(), "red");
  assert.equal(await output.locator("h1").count(), 1);
  assert.equal(await output.locator("p a").count(), 1);
  await source.locator("a").click();
  assert.equal(await source.locator("h1").textContent(), "Our new house"); // a link leads nowhere
  await page.getByRole("radio", { name: "Python" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /format="html"/);
  await b.checkAccessibility(page);
  await b.screenshot(page, "playground-html");
  assert.deepEqual(complaints, []);
  await close();
});

test("hostile HTML runs nothing, loads nothing and leads nowhere", async () => {
  const { page, complaints, close } = await openPlayground();
  const hostile =
    '<p onclick="alert(1)" style="background:url(https://example.org/a)">The garden is green.</p>' +
    '<script>parent.document.title = "taken"</script><img src="x" onerror="alert(2)" alt="a house">' +
    '<img srcset="https://example.org/b 1x"><link rel="stylesheet" href="https://example.org/c">' +
    '<meta http-equiv="refresh" content="0;url=https://example.org/d"><base href="https://example.org/">' +
    '<iframe srcdoc="<script>alert(3)</script>"></iframe><svg><image href="https://example.org/e"/><script>alert(4)</script></svg>' +
    '<form action="https://example.org/f"><button>Go</button></form><video poster="https://example.org/g"></video>' +
    '<template><img src="https://example.org/h"></template><a href="javascript:alert(5)" target="_top">A link.</a>';
  await page.getByRole("radio", { name: "HTML" }).check();
  await translatePage(page, hostile);
  const frame = page.frameLocator('iframe[title="Source as rendered"]');
  assert.equal(await frame.locator("p").textContent(), "The garden is green.");
  assert.equal(await frame.locator("script, link, base, iframe, style").count(), 0);
  await frame.locator("a").click();
  await frame.locator("button").click();
  await frame.locator("p").click();
  assert.equal(await frame.locator("p").count(), 1);
  assert.match(await page.title(), /^Regard/);
  for (const attribute of ["sandbox", "title"]) assert.notEqual(await page.locator("iframe").first().getAttribute(attribute), null);
  assert.equal(await page.locator("iframe").first().getAttribute("sandbox"), "");
  // The fences stand without the cleaning too: the frame's own policy refuses what is put into it.
  let numLoaded = 0;
  await page.route("**/icon.svg?loaded", (route) => ++numLoaded && route.abort());
  await page.evaluate(async () => {
    const frame = document.querySelector("iframe");
    const added = "<script>parent.document.title = 'taken'</script><img src='/assets/icon.svg?loaded'><i>added</i>";
    frame.srcdoc = frame.srcdoc.replace("</body>", `${added}</body>`);
    await new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  });
  await frame.locator("i").waitFor();
  assert.match(await page.title(), /^Regard/);
  assert.equal(numLoaded, 0);
  const others = complaints.filter((complaint) => !/sandboxed|Content Security Policy/.test(complaint));
  assert.deepEqual(others, []);
  await close();
});

test("a dropped file is translated, with progress, warnings and a link to save it", async () => {
  const { page, complaints, close } = await openPlayground();
  const notes = Buffer.from("# The garden\n\nThe *red* door is open.\n\n```\ncode\n```\n");
  await page.evaluate(() => {
    globalThis.states = [];
    const section = document.querySelector(".document");
    new MutationObserver(() => globalThis.states.push(section.querySelector("[role=status]")?.textContent)).observe(section, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  await drop(page.locator("body"), "notes.md", "text/markdown", notes);
  const link = page.getByRole("link", { name: "Save notes.de.md" });
  await link.waitFor();
  assert.ok((await page.evaluate(() => globalThis.states)).some((state) => /^\d+ of 2 texts$/.test(state)));
  assert.equal(await page.locator(".answer").isVisible(), false);
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  assert.equal(download.suggestedFilename(), "notes.de.md");
  const saved = readFileSync(await download.path(), "utf-8");
  assert.match(saved, /^# \S.*\n\n.*\*\S+\*.*\n\n```\ncode\n```\n$/);
  assert.doesNotMatch(saved, /garden|door/);
  await b.checkAccessibility(page);

  const po = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n#, c-format\nmsgid "The %s door is open in %d minutes."\nmsgstr ""\n';
  await page.getByLabel("Document").setInputFiles({ name: "app.po", mimeType: "", buffer: Buffer.from(po) });
  await page.getByRole("link", { name: "Save app.de.po" }).waitFor();
  await page.route("**/v1/translate/document", async (route) => {
    const finished = { finished: { document: "eA==", warnings: [{ place: "line 7", message: "it stays as it was", text: "A <b>text" }] } };
    const sent = { started: { num_units: 1 } };
    const body = `event: started\ndata: ${JSON.stringify(sent)}\n\nevent: finished\ndata: ${JSON.stringify(finished)}\n\n`;
    await route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.getByLabel("Document").setInputFiles({ name: "x.txt", mimeType: "text/plain", buffer: Buffer.from("x") });
  assert.equal(await page.locator(".document ul.warnings li").textContent(), "line 7: it stays as it was A <b>text");
  await page.getByText("translated, 1 warning").waitFor();
  await b.screenshot(page, "playground-file");
  assert.deepEqual(complaints, []);
  await close();
});

test("the calls to copy of a file translate it: curl, grpcurl, Python", async () => {
  const { page, complaints, close } = await openPlayground();
  const text = "The garden's door is open.\n";
  writeFileSync(join(b.PAGES, "it's.txt"), text);
  await drop(page.locator("body"), "it's.txt", "text/plain", Buffer.from(text));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Save it's.de.txt" }).click()]);
  const saved = readFileSync(await download.path(), "utf-8");
  assert.notEqual(saved, text);
  const shown = () => page.locator(".same-call code").textContent();
  const events = execFileSync("bash", ["-c", (await shown()).replace("curl ", "curl -s ")], { encoding: "utf-8", cwd: b.PAGES });
  const { finished } = JSON.parse(events.trim().split("\ndata: ").at(-1));
  assert.equal(Buffer.from(finished.document, "base64").toString(), saved);
  await page.getByRole("radio", { name: "Python" }).check();
  execFileSync(process.env.PYTHON, ["-c", await shown()], { cwd: b.PAGES });
  assert.equal(readFileSync(join(b.PAGES, "it's.de.txt"), "utf-8"), saved);
  await page.getByRole("radio", { name: "grpcurl" }).check();
  assert.match(await shown(), /"document":"'; base64 < 'it'\\''s.txt' .* regard\.v1\.AttentionService\/TranslateDocument$/s);
  await translate(page, TEXT);
  assert.match(await shown(), /AttentionService\/StreamTranslate$/);
  assert.deepEqual(complaints, []);
  await close();
});

test("of several files that are dropped one is translated, and the page says so", async () => {
  const { page, complaints, close } = await openPlayground();
  const transfer = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    for (const name of ["a.txt", "b.txt", "c.txt"]) transfer.items.add(new File(["The garden."], name, { type: "text/plain" }));
    return transfer;
  });
  await page.locator("body").dispatchEvent("drop", { dataTransfer: transfer });
  await page.getByRole("link", { name: "Save a.de.txt" }).waitFor();
  await page.getByText("One file at a time: a.txt was taken, 2 not").waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("a file that is being translated can be stopped", async () => {
  const { page, close } = await openPlayground();
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/v1/translate/document", (route) => held.then(() => route.abort()).catch(() => {}));
  await drop(page.locator("body"), "notes.txt", "text/plain", Buffer.from("The garden."));
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("stopped").waitFor();
  assert.equal(await page.locator(".document").isVisible(), false);
  release();
  await close();
});

test("the language of a text is detected where the form says so", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.getByRole("combobox", { name: "From" }).selectOption("auto");
  const text = "The children were playing in the garden behind the old house.";
  await translate(page, text);
  const { results } = await answerOf("/v1/translate", { texts: [text], ...DE, source_language: "auto" });
  assert.equal(results[0].detected_language, "en");
  const percent = Math.round(100 * results[0].language_confidence);
  await page.locator(".timings").getByText(`detected English, ${percent} % sure`).waitFor();
  assert.match(await page.locator(".same-call code").textContent(), /"source_language":"auto"/);
  await page.getByRole("radio", { name: "Python" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /source_language="auto"/);
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("textbox", { name: "Text" }).fill("Die Kinder spielten im Garten hinter dem alten Haus.");
  await page.getByRole("button", { name: "Translate" }).click();
  await page.locator(".answer:not([aria-busy]) ul.warnings li, .answer:not([aria-busy]) .warning").first().waitFor();
  assert.doesNotMatch(await page.locator(".timings").textContent(), /detected English/);
  assert.deepEqual(complaints, []);
  await close();
});

test("examples are there to click, with their formats", async () => {
  const { page, complaints, close } = await openPlayground();
  const examples = page.getByRole("group", { name: "Examples" }).getByRole("button");
  for (const name of await examples.allTextContents()) {
    await page.getByRole("button", { name, exact: true }).click();
    await page.locator(".answer:not([aria-busy])").waitFor();
    await page.getByRole("button", { name: "Translate", exact: true }).waitFor();
    assert.equal(await page.locator(".problem").textContent(), "");
    assert.equal(await page.getByRole("radio", { name: "HTML" }).isChecked(), name === "HTML");
  }
  assert.match(await textOf(page), /^[^a-z]+$/); // the last is in capitals
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.getByRole("button", { name: "A cat" }).click();
  await page.locator(".filmstrip li").first().waitFor();
  assert.deepEqual(complaints, []);
  await close();
});

test("the call can be copied if the page has no clipboard, as over plain HTTP", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  const curl = await page.locator(".same-call code").textContent();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  await page.getByRole("textbox", { name: "Text" }).fill("");
  await page.getByRole("textbox", { name: "Text" }).press("Control+V");
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), curl);
  assert.deepEqual(complaints, []);
  await close();
});

test("control characters in a call to copy are escaped", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("textbox", { name: "Text" }).fill("The \u202ekrap\u202c is green.");
  for (const language of ["grpcurl", "Python", "curl"]) {
    await page.getByRole("radio", { name: language, exact: true }).check();
    assert.match(await page.locator(".same-call code").textContent(), /"The \\u202ekrap\\u202c is green\."/);
  }
  const curl = await page.locator(".same-call code").textContent();
  const { results } = JSON.parse(execFileSync("bash", ["-c", curl.replace("curl ", "curl -s ")], { encoding: "utf-8" }));
  const ends = results[0].source_words.map(({ span }) => span?.end ?? 0);
  assert.equal(Math.max(...ends), "The \u202ekrap\u202c is green.".length); // spans count what was sent, marks included
  await close();
});

test("a refused request lists every bad field", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("spinbutton", { name: "Beams" }).evaluate((input) => input.removeAttribute("max"));
  await page.getByRole("spinbutton", { name: "Beams" }).fill("99");
  await page.getByRole("button", { name: "Translate" }).click();
  const alert = page.getByRole("alert");
  await alert.locator("li").first().waitFor();
  assert.match(await alert.textContent(), /Beams: must be in \[1, 16\]; it is 99/);
  await close();
});

test("the address holds the call: a link shows the same form and answer, and can be copied", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("combobox", { name: "To" }).selectOption("fr");
  await page.getByRole("spinbutton", { name: "Beams" }).fill("3");
  await page.getByRole("radio", { name: "Tokens" }).check();
  await translate(page, "The green train & the #1 bus.");
  const shown = await textOf(page);
  const address = page.url();
  assert.match(address, /#task=translate&/);
  await page.goto("about:blank");
  await page.goto(address);
  await page.locator(".timings .shares").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), "The green train & the #1 bus.");
  assert.equal(await page.getByRole("combobox", { name: "To" }).inputValue(), "fr");
  assert.equal(await page.getByRole("spinbutton", { name: "Beams" }).inputValue(), "3");
  assert.ok(await page.getByRole("radio", { name: "Tokens" }).isChecked());
  assert.equal(await textOf(page), shown);
  assert.equal(page.url(), address);
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  await close();
});

test("an address of another server's models, or of nonsense, shows the form as it is", async () => {
  const { page, close } = await openPlayground();
  await page.goto("about:blank");
  await page.goto(`${b.SERVER_URL}#task=translate&model=nope&to=xx&format=pdf&beams=many&text=Hello.`);
  await page.locator(".timings .shares").waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Text" }).inputValue(), "Hello.");
  assert.ok((await page.getByRole("combobox", { name: "Model" }).inputValue()) !== "nope");
  await close();
});

test("a server that dies during a stream is named as that, and another try works", async () => {
  const { page, close } = await openPlayground();
  await page.evaluate(() => {
    const own = globalThis.fetch;
    globalThis.fetch = async (...given) => {
      globalThis.fetch = own;
      const answer = await own(...given);
      const reader = answer.body.getReader();
      const first = new TextDecoder().decode((await reader.read()).value);
      const begun = first.slice(0, first.indexOf("\n\n") + 2); // one event, though all of them may have come at once
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode(begun)),
        pull: (controller) => controller.error(new TypeError("network error")),
      });
      return new Response(body, { status: 200, headers: answer.headers });
    };
  });
  await page.getByRole("button", { name: "Translate" }).click();
  await page.getByRole("alert").getByText("Connection lost.").waitFor();
  assert.doesNotMatch(await page.locator(".problem").textContent(), /TypeError|network error/);
  await page.getByRole("button", { name: "Translate" }).click();
  await page.locator(".timings .shares").waitFor();
  assert.equal(await page.locator(".problem").textContent(), "");
  await close();
});

test("a call to a server that requires a token sends it", async () => {
  const { page, close } = await openPlayground();
  const tokens = [];
  await page.route("**/v1/**", async (route) => {
    const { authorization } = route.request().headers();
    tokens.push(authorization);
    const refused = { title: "Unauthenticated", status: 401, detail: "this server wants a token" };
    if (authorization === "Bearer a secret") await route.continue();
    else await route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify(refused) });
  });
  await page.reload();
  await page.getByRole("alert").getByText("this server wants a token").waitFor();
  await page.getByLabel("Token").fill("a secret");
  await page.getByRole("button", { name: "Use" }).click();
  await page.locator(".timings .shares").waitFor();
  assert.deepEqual(tokens, [undefined, "Bearer a secret", "Bearer a secret"]);
  const curl = await page.locator(".same-call code").textContent();
  assert.match(curl, /-H "authorization: Bearer \$TOKEN"/);
  assert.doesNotMatch(curl, /a secret/);
  await page.getByRole("radio", { name: "Python" }).check();
  assert.match(await page.locator(".same-call code").textContent(), /f"Bearer \{os\.environ\['TOKEN'\]\}"/);
  await close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`${colorScheme}: axe finds nothing serious`, async () => {
    const { page, complaints, close } = await openPlayground({ colorScheme });
    await page.locator(".outputs .word").nth(7).click();
    await b.checkAccessibility(page);
    await b.screenshot(page, `playground-${colorScheme}`);
    assert.deepEqual(complaints, []);
    await close();
  });
}

test("a word of a translation can be exchanged, and the rest follows", async () => {
  const { page, complaints, close } = await openPlayground();
  await translate(page, TEXT);
  const panel = page.locator(".alternatives");
  await panel.locator(".alternative-words .word").nth(2).click();
  const list = panel.locator(".alternative-list button");
  await list.first().waitFor();
  const words = (await panel.locator(".alternative-words").textContent()).split(" ");
  const prefix = words.slice(0, 2).join(" ") + " ";
  const body = { texts: [TEXT], model: "everyday", target_language: "de", target_prefixes: [{ text: prefix }], num_alternatives: 6 };
  const { results } = await answerOf("/v1/translate", body);
  const expected = results[0].hypotheses.map(({ text }) => text.slice(prefix.length).trimStart().split(" ")[0]);
  assert.deepEqual(await list.locator("strong").allTextContents(), expected);
  await b.screenshot(page, "playground-alternatives");

  await list.nth(1).click();
  await page.locator(".answer:not([aria-busy])").waitFor();
  await page.waitForFunction((begin) => document.querySelector(".alternative-words")?.textContent?.startsWith(begin), prefix + expected[1]);
  assert.ok((await textOf(page)).startsWith(prefix + expected[1]));
  assert.deepEqual(complaints, []);
  await close();
});
