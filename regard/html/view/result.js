/**
 * Reads a result from protobuf's JSON: units with the text before each, and maps.
 */

import { decodeMap, wholeMap } from "./weights.js";

/**
 * A word or a token.
 * @typedef {object} Unit
 * @property {string} text
 * @property {string} gap the text between it and the unit before
 * @property {boolean} special whether the model added it; it is not part of the text
 * @property {number | null} probability of an output token or word
 * @property {boolean} [copied] whether it was copied from the source
 */

/**
 * @typedef {object} Hypothesis
 * @property {string} text
 * @property {number} score
 * @property {Unit[]} tokens
 * @property {Unit[]} words
 * @property {Map<string, import("./weights.js").AttentionMap>} maps
 * @property {number[]} entropy of the alignment's rows
 * @property {number[]} coverage of the alignment's rows: the share on units that earlier rows attended to
 * @property {number[]} sourceCoverage of its columns: the attention that each source unit received in sum
 */

/**
 * Where the source axis lies on a picture.
 * @typedef {object} Grid
 * @property {number} rows
 * @property {number} columns
 * @property {number} first position of the top left region on the source axis
 * @property {number} width of the picture
 * @property {number} height of the picture
 * @property {{left: number, top: number, right: number, bottom: number}} box the part that the model saw
 */

/**
 * @typedef {object} Result
 * @property {string} model
 * @property {string} version
 * @property {{queue: number, encode: number, decode: number}} timings in milliseconds
 * @property {number} numTruncated source tokens that were cut off
 * @property {Unit[]} tokens of the source
 * @property {Unit[]} words of the source
 * @property {Map<string, import("./weights.js").AttentionMap>} maps of the source alone
 * @property {Grid | null} grid
 * @property {Hypothesis[]} hypotheses
 */

/** Characters that reorder or control the text after them; shown as U+FFFD. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])/g;
const SPACE_MARK = /^[▁Ġ]/;

/**
 * @param {any} json
 * @returns {Result}
 */
export function readResult(json) {
  const timings = json.timings ?? {};
  return {
    model: json.model ?? "",
    version: json.model_version ?? "",
    timings: { queue: timings.queue_ms ?? 0, encode: timings.encode_ms ?? 0, decode: timings.decode_ms ?? 0 },
    numTruncated: json.num_truncated_tokens ?? 0,
    tokens: readSourceTokens(json.source_tokens ?? []),
    words: readWords(json.source_words ?? [], null),
    maps: readMaps(json.source_attention ?? []),
    grid: json.image_grid ? readGrid(json.image_grid) : null,
    hypotheses: (json.hypotheses ?? []).map(readHypothesis),
  };
}

/**
 * @param {any} json
 * @returns {Hypothesis}
 */
function readHypothesis(json) {
  const text = Array.from(json.text ?? ""); // spans count code points
  const tokens = json.tokens ?? [];
  return {
    text: json.text ?? "",
    score: json.score ?? 0,
    tokens: readTargetTokens(tokens, text),
    words: readWords(json.words ?? [], text, tokens),
    maps: readMaps(json.attention ?? []),
    entropy: json.entropy ?? [],
    coverage: json.coverage ?? [],
    sourceCoverage: json.source_coverage ?? [],
  };
}

/** @param {any[]} messages */
function readMaps(messages) {
  /** @type {Map<string, import("./weights.js").AttentionMap[]>} */
  const kinds = new Map();
  for (const map of messages.map(decodeMap)) kinds.set(map.kind, [...(kinds.get(map.kind) ?? []), map]);
  return new Map([...kinds].map(([kind, maps]) => [kind, wholeMap(maps)]));
}

/**
 * @param {any} json
 * @returns {Grid}
 */
function readGrid(json) {
  const box = json.box ?? {};
  return {
    rows: json.rows ?? 0,
    columns: json.columns ?? 0,
    first: json.first_position ?? 0,
    width: json.image_width ?? 0,
    height: json.image_height ?? 0,
    box: { left: box.left ?? 0, top: box.top ?? 0, right: box.right ?? 0, bottom: box.bottom ?? 0 },
  };
}

/**
 * Words of a text; if the text is unknown, a space stands for any characters between two words.
 * @param {any[]} messages
 * @param {string[] | null} text
 * @param {any[]} tokens of the output, for the words' probabilities
 * @returns {Unit[]}
 */
function readWords(messages, text, tokens = []) {
  let end = 0;
  return messages.map((message) => {
    const gap = gapBefore(message, text, end);
    end = message.span?.end ?? end;
    const own = tokens.slice(message.tokens?.start ?? 0, message.tokens?.end ?? 0);
    return {
      text: readable(message.text ?? ""),
      gap,
      special: message.special ?? false,
      probability: own.length ? Math.exp(own.reduce((sum, token) => sum + (token.logprob ?? 0), 0)) : null,
      copied: own.length > 0 && own.every((token) => token.copied),
    };
  });
}

/**
 * @param {any[]} messages
 * @returns {Unit[]}
 */
function readSourceTokens(messages) {
  let end = 0;
  return messages.map((message) => {
    const gap = gapBefore(message, null, end);
    end = message.span?.end ?? end;
    const special = message.special ?? false;
    const piece = message.piece ?? "";
    return { text: readable(special ? piece : piece.replace(SPACE_MARK, "")), gap, special, probability: null };
  });
}

/**
 * Tokens of an output: each token's part of the text if it has one, otherwise its piece.
 * @param {any[]} messages
 * @param {string[]} text
 * @returns {Unit[]}
 */
function readTargetTokens(messages, text) {
  let end = 0;
  return messages.map((message) => {
    const gap = gapBefore(message, text, end);
    const own = message.span ? text.slice(message.span.start ?? 0, message.span.end ?? 0).join("") : "";
    end = message.span?.end ?? end;
    const special = message.special ?? false;
    const piece = message.piece ?? "";
    return {
      text: readable(own || (special ? piece : piece.replace(SPACE_MARK, ""))),
      gap,
      special,
      probability: Math.exp(message.logprob ?? 0),
      copied: message.copied ?? false,
    };
  });
}

/**
 * @param {any} message
 * @param {string[] | null} text
 * @param {number} end of the unit before
 */
function gapBefore(message, text, end) {
  if (!message.span) return " ";
  const start = message.span.start ?? 0;
  if (start === 0) return " "; // only special tokens can precede it
  if (text) return text.slice(end, start).join("");
  return start > end ? " " : "";
}

/**
 * Text without control characters; never empty.
 * @param {string} text
 */
export function readable(text) {
  return text.trim().replace(CONTROLS, "\ufffd") || "␣";
}

/** The decoder's start token, which its first step reads. */
const START = { text: "start", gap: "", special: true, probability: null };

/** Kinds of map in the order in which the view lists them, with their names and notes. */
export const KINDS = /** @type {const} */ ({
  alignment: { name: "Alignment", note: "the model's alignment heads, averaged" },
  cross: { name: "Cross-attention", note: "from each output unit to the source, by layer and head" },
  rollout: { name: "Rollout", note: "self- and cross-attention followed back to the source's inputs" },
  encoder_self: { name: "Encoder", note: "among the source's units" },
  decoder_self: { name: "Decoder", note: "from each output unit to those before it" },
});

/**
 * The kinds whose maps have arrived, in the order of `KINDS`.
 * @param {Result} result
 * @param {Hypothesis} hypothesis
 */
export function kindsOf(result, hypothesis) {
  return Object.keys(KINDS).filter((kind) => (hypothesis.maps.get(kind) ?? result.maps.get(kind))?.isHere);
}

/**
 * The units of a map's rows and columns; over a picture the columns are its regions.
 * @param {Result} result
 * @param {Hypothesis} hypothesis
 * @param {import("./weights.js").AttentionMap} map
 * @returns {{rows: Unit[], columns: Unit[]}}
 */
export function axesOf(result, hypothesis, map) {
  // While an output is generated, its rows are tokens even if the call asks for words.
  const target = map.byWords && hypothesis.words.length === map.rows ? hypothesis.words : hypothesis.tokens;
  const source = map.byWords ? result.words : result.tokens;
  if (map.kind === "encoder_self") return { rows: source, columns: source };
  if (map.kind === "decoder_self") return { rows: target, columns: [START, ...target].slice(0, map.columns) };
  return { rows: target, columns: result.grid ? regions(result.grid, map.columns) : source };
}

/**
 * A picture's regions, by row and column from 1.
 * @param {Grid} grid
 * @param {number} length of the source axis
 * @returns {Unit[]}
 */
function regions(grid, length) {
  return Array.from({ length }, (_, at) => {
    const region = at - grid.first;
    const isInside = region >= 0 && region < grid.rows * grid.columns;
    const text = isInside ? `r${Math.floor(region / grid.columns) + 1} c${(region % grid.columns) + 1}` : "·";
    return { text, gap: " ", special: !isInside, probability: null };
  });
}
