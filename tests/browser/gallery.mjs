/**
 * Takes screenshots of the page and of the playground for docs/gallery.md; docs/examples/gallery.py runs it.
 */

import * as b from "./browser.mjs";

await b.startBrowser();

/** Opens the playground and waits for the answer to its example. */
async function openPlayground(options = {}) {
  const { page, close } = await b.open(b.SERVER_URL, { width: 1120, ...options });
  await page.locator(".timings .shares").waitFor();
  return { page, close };
}

for (const colorScheme of ["light", "dark"]) {
  const { page, close } = await openPlayground({ colorScheme });
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  await page.locator(".outputs .word").nth(7).click();
  await b.screenshot(page, `playground-${colorScheme}`);
  await close();
}

{
  const { page, close } = await openPlayground();
  await page.getByRole("radio", { name: "Caption" }).check();
  await page.locator("input[type=file]").setInputFiles(process.env.PICTURE);
  await page.locator(".filmstrip li").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  await page.locator(".outputs .word").nth(1).click();
  await b.screenshot(page, "playground-caption");
  await close();
}

{
  const { page, close } = await openPlayground({ colorScheme: "dark" });
  await page.getByRole("radio", { name: "Summarize" }).check();
  await page.getByRole("textbox", { name: "Text" }).fill(process.env.EMAIL);
  await page.getByRole("textbox", { name: "Text" }).evaluate((field) => (field.scrollTop = 0));
  await page.getByRole("button", { name: "Summarize" }).click();
  await page.locator(".outputs .word.copied").first().waitFor();
  await page.locator(".answer:not([aria-busy])").waitFor();
  await page.locator(".outputs .word.copied").first().click();
  await b.screenshot(page, "playground-summary");
  await close();
}

{
  const { page, close } = await openPlayground();
  await page.locator(".alternative-words .word").nth(1).click();
  await page.locator(".alternative-list button").first().waitFor();
  await page.locator(".alternatives").screenshot({ path: `${b.SCREENSHOTS}/playground-alternatives.png` });
  await close();
}

{
  const { page, close } = await b.open(b.pageUrl("beams"), { width: 1120 });
  await page.locator(".source .word").nth(6).click();
  await b.screenshot(page, "page-beams");
  await close();
}

{
  const { page, close } = await b.open(b.pageUrl("confidence"), { width: 1120 });
  await page.locator(".shaded").screenshot({ path: `${b.SCREENSHOTS}/confidence.png` });
  await close();
}

await b.stopBrowser();
