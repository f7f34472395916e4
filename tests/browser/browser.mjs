/**
 * What the tests of the view and of the playground share: a browser, pages that complain, axe, screenshots.
 */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Set by test_browser.py: where the pages and what they show lie, where screenshots go, which browser to start. */
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
 * Opens a page; `complaints` collects errors, violations of its policy, dialogs, and requests that leave its origin.
 */
export async function open(url, { colorScheme = "light", width = 1280, height = 900 } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  await context.grantPermissions(url.startsWith("http") ? ["clipboard-read", "clipboard-write"] : []);
  context.setDefaultTimeout(240_000); // as PATIENCE_S (tests/waiting.py): a busy machine is slow, not wrong
  const page = await context.newPage();
  const complaints = [];
  const home = url.startsWith("http") ? new URL(url).origin : "file:";
  page.on("console", (message) => {
    // That canvases are read back is these tests' doing.
    const ours = message.text().includes("willReadFrequently");
    if (["error", "warning"].includes(message.type()) && !ours) complaints.push(message.text());
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

/** No finding of axe that is serious or critical. */
export async function checkAccessibility(page) {
  // A policy without 'unsafe-eval' lets in scripts of the debugger, not of the page.
  await page.evaluate(readFileSync(AXE, "utf-8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  assert.deepEqual(bad.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]), []);
}

export async function screenshot(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** The weights that a line of words shows. */
export const weightsOf = (page, line) =>
  page.locator(`${line} .word`).evaluateAll((words) => words.map((word) => Number(word.dataset.weight)));

export function assertClose(shown, wanted, tolerance = 5.1e-5) {
  assert.equal(shown.length, wanted.length);
  shown.forEach((weight, at) => assert.ok(Math.abs(weight - wanted[at]) <= tolerance, `${at}: ${weight}, not ${wanted[at]}`));
}

/** A kind's map in a hypothesis' JSON, nested lists. */
export const mapOf = (hypothesis, kind) =>
  hypothesis.attention.find((map) => map.kind === `ATTENTION_KIND_${kind.toUpperCase()}`).data;

/** The average of matrices [n][rows][columns]. */
export const averageOf = (matrices) =>
  matrices[0].map((row, r) => row.map((_, c) => matrices.reduce((sum, matrix) => sum + matrix[r][c], 0) / matrices.length));
