/**
 * Shared by the tests of the view and of the playground: a browser, pages with their errors, axe, screenshots.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Set by test_browser.py: the folder of pages and their JSON, the folder for screenshots, the browser, the server. */
export const { PAGES, SCREENSHOTS, CHROMIUM, SERVER_URL } = process.env;

export const pageUrl = (name) => pathToFileURL(join(PAGES, `${name}.html`)).href;
export const expected = (name) => JSON.parse(readFileSync(join(PAGES, `${name}.json`), "utf-8"));

let browser;

export async function startBrowser() {
  // A container's root user has no sandbox.
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export const stopBrowser = () => browser.close();

/**
 * Opens a page; `complaints` collects errors, policy violations, dialogs, and requests to another origin.
 */
export async function open(url, { colorScheme = "light", width = 1280, height = 900 } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  await context.grantPermissions(url.startsWith("http") ? ["clipboard-read", "clipboard-write"] : []);
  context.setDefaultTimeout(240_000); // as PATIENCE_S (tests/waiting.py): a busy machine is slow, not wrong
  const page = await context.newPage();
  const complaints = [];
  const home = url.startsWith("http") ? new URL(url).origin : "file:";
  page.on("console", (message) => {
    // The tests themselves read canvases back.
    const isOwn = message.text().includes("willReadFrequently");
    if (["error", "warning"].includes(message.type()) && !isOwn) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(home) && !/^(data|blob):/.test(target)) complaints.push(`a request to ${target}`);
  });
  await page.goto(url);
  await page.locator(".outputs .word").first().waitFor();
  return { page, complaints, close: () => context.close() };
}

/** Asserts that axe finds nothing serious or critical. */
export async function checkAccessibility(page) {
  // The page's policy forbids eval to its own scripts, not to the debugger's.
  await page.evaluate(readFileSync(AXE, "utf-8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const severe = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  assert.deepEqual(severe.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]), []);
}

export async function screenshot(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** The weights that a line of words shows. */
export const weightsOf = (page, line) =>
  page.locator(`${line} .word`).evaluateAll((words) => words.map((word) => Number(word.dataset.weight)));

export function assertClose(shown, expectedWeights, tolerance = 5.1e-5) {
  assert.equal(shown.length, expectedWeights.length);
  shown.forEach((weight, at) => {
    assert.ok(Math.abs(weight - expectedWeights[at]) <= tolerance, `${at}: ${weight}, not ${expectedWeights[at]}`);
  });
}

/** The map of a kind in a hypothesis' JSON, as nested lists. */
export const mapOf = (hypothesis, kind) =>
  hypothesis.attention.find((map) => map.kind === `ATTENTION_KIND_${kind.toUpperCase()}`).data;

/** The average of matrices [n][rows][columns]. */
export const averageOf = (matrices) =>
  matrices[0].map((row, r) => row.map((_, c) => matrices.reduce((sum, matrix) => sum + matrix[r][c], 0) / matrices.length));
