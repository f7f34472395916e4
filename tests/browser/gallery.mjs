/**
 * Takes the playground's pictures for docs/gallery.md; docs/examples/gallery.py starts it.
 */

import * as b from "./browser.mjs";

await b.startBrowser();

for (const colorScheme of ["light", "dark"]) {
  const { page, close } = await b.open(b.SERVER_URL, { colorScheme, width: 1120 });
  await page.locator(".timings .shares").waitFor();
  await page.getByRole("radio", { name: "Cross-attention" }).check();
  await page.locator(".outputs .word").nth(7).click();
  await b.screenshot(page, `playground-${colorScheme}`);
  await close();
}

const { page, close } = await b.open(b.SERVER_URL, { width: 1120 });
await page.locator(".timings .shares").waitFor();
await page.getByRole("radio", { name: "Caption" }).check();
await page.locator("input[type=file]").setInputFiles(process.env.PICTURE);
await page.locator(".filmstrip li").first().waitFor();
await page.locator(".answer:not([aria-busy])").waitFor();
await page.locator(".outputs .word").nth(1).click();
await b.screenshot(page, "playground-caption");
await close();

await b.stopBrowser();
