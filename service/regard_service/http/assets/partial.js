/**
 * An output while it is being made: tokens and rows of maps, put together to a result that the view can show.
 */

import { readResult } from "./view/result.js";
import { decodeMap, placed } from "./view/weights.js";

/** @typedef {import("./view/weights.js").AttentionMap} AttentionMap */

export class Partial {
  /** @param {any} started the stream's first message */
  constructor(started) {
    this.#started = started;
  }

  /** @type {any} */
  #started;
  /** @type {any[]} */
  #tokens = [];
  #text = "";
  /** @type {Map<string, AttentionMap[]>} each kind's rows, in the order of the tokens */
  #rows = new Map();

  /** @param {any} event a token has become certain */
  add(event) {
    this.#tokens.push(event.token);
    this.#text += event.text_delta ?? "";
    for (const message of event.attention ?? []) {
      const row = decodeMap(message);
      this.#rows.set(row.kind, [...(this.#rows.get(row.kind) ?? []), row]);
    }
  }

  result() {
    const hypothesis = { text: this.#text, tokens: this.#tokens };
    const result = readResult({ ...this.#started, hypotheses: [hypothesis] });
    for (const [kind, rows] of this.#rows) {
      result.hypotheses[0].maps.set(kind, stacked(rows, result.tokens.length));
    }
    return result;
  }
}

/**
 * Rows, [..., 1, columns] each, as one map, [..., rows, columns]; what they lack is 0.
 * @param {AttentionMap[]} rows in the order of the tokens
 * @param {number} numSources units of the whole source; 0 if it has none, as a picture
 * @returns {AttentionMap}
 */
function stacked(rows, numSources) {
  const inOrder = rows.map((row, at) => ({ ...row, values: row.values, targetOffset: at }));
  const columns = Math.max(numSources, ...inOrder.map((row) => row.sourceOffset + row.columns));
  const last = rows[rows.length - 1];
  const values = placed(inOrder, rows.length, columns);
  return { ...last, rows: rows.length, columns, sourceOffset: 0, targetOffset: 0, values };
}
