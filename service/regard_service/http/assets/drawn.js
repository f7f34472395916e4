/**
 * Answers made in one step as results that the view shows: an output's words over a source. Here the words are what the
 * model found (a label, the pieces in place of masks, boxes), each with the rows of the maps that belong to it.
 */

import { base64OfBytes } from "./requests.js";
import { decodeMap } from "./view/weights.js";

/** @typedef {import("./composer.js").Call} Call */

/**
 * A row of the view: what it says, and which rows of a map it averages.
 * @typedef {object} Row
 * @property {string} text
 * @property {boolean} [special]
 * @property {number} [probability]
 * @property {number[]} rows
 */

/** @type {Partial<Record<Call["task"], string>>} what the view calls the line of what was found */
const NAMES = { classify: "Label", encode: "Text, as the encoder represents it", "fill-mask": "Masks", detect: "Boxes", answer: "Question" };

/**
 * A result as the view reads one: with an output whose words are what was found.
 * @param {Call} call
 * @param {any} found a result of the call
 * @param {boolean} isFromPicture of a question's answer, whether the maps lead from the picture to the question
 */
export function drawnOf(call, found, isFromPicture = false) {
  const input = found.input ?? {};
  const maps = input.attention ?? [];
  const grid = input.image_grid;
  const rows = rowsOf(call, found);
  const drawn = {
    model: input.model,
    model_version: input.model_version,
    timings: input.timings,
    num_truncated_tokens: input.num_truncated_tokens,
    source_tokens: input.source_tokens,
    source_words: input.source_words,
    image_grid: grid,
    // Over a picture the rows of self-attention are drawn as cross-attention is: regions have no line of words.
    source_attention: grid ? [] : maps.filter(isSelf),
    hypotheses: [{ name: maps.some(isOfPositions) ? "Layers" : NAMES[call.task], text: rows.map(({ text }) => text).join(" "), tokens: rows.map(tokenOf), attention: [] }],
  };
  const isOfBoxes = call.task === "detect"; // whose maps have a row for each box already
  const shown = maps.filter((/** @type {any} */ map) => !isOfChannels(map) && (!isSelf(map) || (grid && !isOfBoxes)));
  const own = isOfBoxes ? shown : shown.map((/** @type {any} */ map) => pickedOf(map, rows, isFromPicture));
  return { ...drawn, hypotheses: [{ ...drawn.hypotheses[0], attention: own }] };
}

/**
 * Gates of channels, whose columns are no regions of the picture.
 * @param {any} map
 */
export const isOfChannels = (map) => map.kind === "ATTENTION_KIND_CHANNEL";

/** @param {any} map */
const isOfPositions = (map) => map.kind === "ATTENTION_KIND_SPATIAL";

/** @param {any} map */
const isSelf = (map) => map.kind === "ATTENTION_KIND_ENCODER_SELF";

/**
 * @param {Call} call
 * @param {any} found
 * @returns {Row[]}
 */
function rowsOf(call, found) {
  const input = found.input ?? {};
  const units = call.words && input.source_words?.length ? input.source_words : (input.source_tokens ?? []);
  const all = units.map((/** @type {any} */ unit, /** @type {number} */ at) => ({ ...named(unit), rows: [at] }));
  const [best] = found.labels ?? [];
  const gated = (input.attention ?? []).find(isOfPositions);
  if (gated) return gated.layers.map((/** @type {number} */ layer, /** @type {number} */ at) => ({ text: `layer ${layer}`, rows: [at] }));
  if (call.task === "detect") return (found.detections ?? []).map(boxed);
  if (call.task === "classify" && best) return [{ text: best.label, probability: best.probability, rows: classRowsOf(input) }];
  if (call.task === "classify" && found.tokens?.length) return labelled(all, units, found.tokens);
  if (call.task === "fill-mask") return (found.masks ?? []).map((/** @type {any} */ mask) => filled(mask, units));
  return all;
}

/**
 * Where the state lies by which a whole input is labelled: the first position's, or of a picture without a class token all
 * of them.
 * @param {any} input
 */
function classRowsOf(input) {
  const grid = input.image_grid;
  if (!grid || grid.first_position) return [0];
  return Array.from({ length: grid.rows * grid.columns }, (_, at) => at);
}

/**
 * @param {Row[]} rows of all units
 * @param {any[]} units
 * @param {any[]} labels of tokens
 * @returns {Row[]}
 */
function labelled(rows, units, labels) {
  return rows.map((row, at) => {
    const first = units[at].tokens?.start ?? (units[at].tokens ? 0 : at);
    const best = labels.find(({ token }) => (token ?? 0) === first)?.labels?.[0];
    return best ? { ...row, text: `${row.text} · ${best.label}`, probability: best.probability } : row;
  });
}

/**
 * @param {any} mask
 * @param {any[]} units
 * @returns {Row}
 */
function filled(mask, units) {
  const token = mask.token ?? 0;
  const at = units.findIndex(({ tokens }) => tokens && (tokens.start ?? 0) <= token && token < (tokens.end ?? 0));
  const [best] = mask.pieces ?? [];
  return { text: best?.text || best?.piece || "?", probability: best?.probability, rows: [at < 0 ? token : at] };
}

/**
 * @param {any} detection
 * @param {number} at
 * @returns {Row}
 */
const boxed = ({ label, score }, at) => ({ text: label, probability: score, rows: [at] });

/** @param {any} unit a word, or a token */
const named = (unit) => ({ text: unit.text ?? unit.piece ?? "", special: unit.special ?? false });

/** @param {Row} row */
const tokenOf = ({ text, special, probability }) => ({ piece: text, special: special ?? false, logprob: Math.log(probability ?? 1) });

/**
 * The rows of a map that belong to what was found. Self-attention becomes cross-attention: from what was found to the source.
 * @param {any} message a map over the source's positions, in the API's JSON
 * @param {Row[]} rows
 * @param {boolean} isFromPicture whether each row is a column of the map
 */
function pickedOf(message, rows, isFromPicture) {
  const map = decodeMap(message);
  const matrices = map.values.length / (map.rows * map.columns);
  const picked = new Float32Array(matrices * rows.length * map.columns);
  for (let matrix = 0; matrix < matrices; matrix++) {
    const from = matrix * map.rows * map.columns;
    rows.forEach(({ rows: own }, at) => {
      const to = (matrix * rows.length + at) * map.columns;
      for (const row of own) {
        for (let column = 0; column < map.columns; column++) {
          const place = isFromPicture ? column * map.columns + row : row * map.columns + column;
          picked[to + column] += map.values[from + place] / own.length;
        }
      }
    });
  }
  const kind = isSelf(message) ? "ATTENTION_KIND_CROSS" : message.kind;
  const shape = [...message.shape.slice(0, -2), rows.length, map.columns];
  const data = base64OfBytes(new Uint8Array(picked.buffer));
  return { ...message, kind, shape, encoding: "ENCODING_FLOAT32", top_k: 0, data };
}
