/**
 * HTML as a browser shows it, in a frame that runs no scripts, loads nothing and leads nowhere.
 *
 * Three fences, each enough by itself: the frame is a sandbox without permissions; its document has a policy that allows
 * nothing but pictures within it, beside the policy of this page, which it inherits; and what would only be refused by
 * these is taken out, so that the browser's console stays quiet.
 */

import { element, setAttributes } from "./view/dom.js";

const POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'";
const REFUSED = "script, style, link, meta, base, iframe, frame, frameset, object, embed, portal, fencedframe, template";
/** Attributes whose address a browser loads, or goes to by itself. */
const ADDRESSES = new Set(["src", "srcset", "poster", "background", "data", "action", "formaction", "ping", "xlink:href", "manifest"]);
const IS_PICTURE = /^\s*data:image\/(?:png|jpeg|gif|webp|svg\+xml|avif)[;,]/i;
/** What a link gets instead of its address: a place within the frame. */
const NOWHERE = "about:srcdoc#";

/**
 * A frame for HTML.
 * @param {string} name for screen readers
 */
export class Rendered {
  /** @param {string} name */
  constructor(name) {
    this.#frame = element("iframe");
    setAttributes(this.#frame, { title: name, sandbox: "", referrerpolicy: "no-referrer" });
    this.element = element("div", "rendered", element("span", "caption", name), this.#frame);
  }

  /** @type {HTMLIFrameElement} */ #frame;

  /** @param {string} html */
  show(html) {
    this.#frame.srcdoc = safeDocument(html);
  }
}

/**
 * A document that shows what the HTML shows.
 * @param {string} html
 */
export function safeDocument(html) {
  // A parsed document runs no scripts and loads nothing.
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const refused of parsed.querySelectorAll(REFUSED)) refused.remove();
  for (const any of parsed.querySelectorAll("*")) quieten(any);
  const policy = `<meta http-equiv="content-security-policy" content="${POLICY}">`;
  return `<!doctype html><html><head><meta charset="utf-8">${policy}</head>${parsed.body.outerHTML}</html>`;
}

/** @param {Element} any */
function quieten(any) {
  for (const { name, value } of [...any.attributes]) {
    const isLoaded = ADDRESSES.has(name) || (name === "href" && !/^(?:a|area)$/i.test(any.localName));
    if (name.startsWith("on") || name === "style" || name === "srcdoc" || name === "autofocus") any.removeAttribute(name);
    else if (isLoaded && !IS_PICTURE.test(value)) any.removeAttribute(name);
    else if (name === "href") any.setAttribute(name, NOWHERE);
    else if (name === "target") any.removeAttribute(name);
  }
}
