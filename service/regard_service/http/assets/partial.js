/**
 * An output while it is being made: tokens and rows of maps, put together to a result that the view can show.
 */

import { readResult } from "./view/result.js";
import { decodeMap } from "./view/weights.js";

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
    for (const [kind, rows] of this.#rows) result.hypotheses[0].maps.set(kind, stacked(rows));
    return result;
  }
}

/**
 * Rows, [..., 1, columns] each, as one map, [..., rows, columns]. The decoder's rows grow; what they lack is 0.
 * @param {AttentionMap[]} rows
 * @returns {AttentionMap}
 */
function stacked(rows) {
  const columns = Math.max(...rows.map((row) => row.columns));
  const last = rows[rows.length - 1];
  const matrices = last.hasHeads ? last.layers.length * last.heads.length : 1;
  const values = new Float32Array(matrices * rows.length * columns);
  rows.forEach((row, at) => {
    for (let matrix = 0; matrix < matrices; matrix++) {
      const own = row.values.subarray(matrix * row.columns, (matrix + 1) * row.columns);
      values.set(own, (matrix * rows.length + at) * columns);
    }
  });
  return { ...last, rows: rows.length, columns, values };
}
