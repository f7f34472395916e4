/**
 * The playground in a browser, on a server with the shipped models: it shows the API's answers.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
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

/** The output's text: its words and the gaps between them, without special tokens. */
const textOf = (page) =>
  page.locator(".outputs .line").evaluate((line) => {
    const own = line.cloneNode(true);
    own.querySelectorAll(".special").forEach((word) => word.remove());
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
  const { results } = JSON.parse(execFileSync("bash", ["-c", curl.replace("curl ", "curl -s ")], { encoding: "utf-8" }));
  assert.equal(results[0].hypotheses[0].words.filter(({ special }) => !special).map(({ text }) => text).join(" "), await wordsOf(page));
  await page.getByRole("button", { name: "Copy" }).click();
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
  assert.match(await ran(), /Started\(.*Finished\(/s);
  await page.getByRole("checkbox", { name: "Stream" }).uncheck();
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.locator("input[type=file]").setInputFiles(PICTURE);
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

test("a dropped file that is not a picture is refused, and the earlier answer disappears", async () => {
  const { page, complaints, close } = await openPlayground();
  await drop(page.locator("body"), "notes.txt", "text/plain", Buffer.from("no picture"));
  await page.getByRole("alert").getByText("Your browser cannot read notes.txt as one.").waitFor();
  assert.equal(await page.locator(".answer").isVisible(), false);
  assert.equal(await page.locator(".drop img").isVisible(), false);
  assert.equal(await page.locator(".timings").textContent(), "");
  assert.deepEqual(complaints, []);
  await close();
});

test("the call can be copied if the page has no clipboard, as over plain HTTP", async () => {
  const { page, complaints, close } = await openPlayground();
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  const curl = await page.locator(".same-call code").textContent();
  await page.getByRole("button", { name: "Copy" }).click();
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
  assert.ok(results[0].source_words.some(({ text }) => text.includes("\u202e")));
  await close();
});

test("a refused request lists every bad field", async () => {
  const { page, close } = await openPlayground();
  await page.getByRole("spinbutton", { name: "Beams" }).evaluate((input) => input.removeAttribute("max"));
  await page.getByRole("spinbutton", { name: "Beams" }).fill("99");
  await page.getByRole("button", { name: "Translate" }).click();
  const alert = page.getByRole("alert");
  await alert.locator("li").first().waitFor();
  assert.match(await alert.textContent(), /generation\.num_beams: must be in \[1, 16\]; it is 99/);
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
