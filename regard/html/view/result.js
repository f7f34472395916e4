/**
 * Reads a result from protobuf's JSON: units with the text before each, and maps.
 */

import { decodeMap, wholeMap } from "./weights.js";

/** @typedef {import("./weights.js").AttentionMap} AttentionMap */

/**
 * A range of a text's code points, or of its tokens.
 * @typedef {{start: number, end: number}} Range
 */

/**
 * A word or a token.
 * @typedef {object} Unit
 * @property {string} text
 * @property {string} gap the text between it and the unit before
 * @property {boolean} special whether the model added it; it is not part of the text
 * @property {number | null} probability of an output token or word
 * @property {boolean} [copied] whether it was copied from the source
 * @property {Range} [tokens] of a word: its tokens
 */

/**
 * A part of a text that was translated by itself.
 * @typedef {object} Segment
 * @property {Range} source its place in the source, in code points
 * @property {Range} target its output's place in the best hypothesis
 * @property {Range} sourceTokens
 * @property {Range} targetTokens
 * @property {boolean} copied whether no model read it
 */

/**
 * @typedef {object} Warning
 * @property {string} message
 * @property {number | null} segment the segment that it concerns; null if it concerns the whole text
 */

/**
 * @typedef {object} Hypothesis
 * @property {string} text
 * @property {string} name of its line; "" is that of an output
 * @property {number} score
 * @property {Unit[]} tokens
 * @property {Unit[]} words
 * @property {Map<string, AttentionMap>} maps
 * @property {Map<string, AttentionMap[]>} parts the maps by segment
 * @property {number[]} entropy of the alignment's rows
 * @property {number[]} coverage of the alignment's rows: the share on units that earlier rows attended to
 * @property {number[]} sourceCoverage of its columns: the attention that each source unit received in sum
 * @property {(Range & {probability: number})[]} [confidences] of words: the probability that each is right
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
 * @property {Map<string, AttentionMap>} maps of the source alone
 * @property {Map<string, AttentionMap[]>} parts those by segment
 * @property {Grid | null} grid
 * @property {Hypothesis[]} hypotheses
 * @property {Segment[]} segments
 * @property {Warning[]} warnings
 * @property {string} language of the source, if the server was to find it and did
 * @property {number} confidence that it is this language
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
  const parts = readMaps(json.source_attention ?? []);
  return {
    model: json.model ?? "",
    version: json.model_version ?? "",
    timings: { queue: timings.queue_ms ?? 0, encode: timings.encode_ms ?? 0, decode: timings.decode_ms ?? 0 },
    numTruncated: json.num_truncated_tokens ?? 0,
    tokens: readSourceTokens(json.source_tokens ?? []),
    words: readWords(json.source_words ?? [], null),
    maps: wholeMaps(parts),
    parts,
    grid: json.image_grid ? readGrid(json.image_grid) : null,
    hypotheses: (json.hypotheses ?? []).map(readHypothesis),
    segments: (json.segments ?? []).map(readSegment),
    warnings: [...(json.warnings ?? []).map(readWarning), ...readRisks(json)],
    language: json.detected_language ?? "",
    confidence: json.language_confidence ?? 0,
  };
}

/**
 * @param {any} json
 * @returns {Hypothesis}
 */
function readHypothesis(json) {
  const text = Array.from(json.text ?? ""); // spans count code points
  const tokens = json.tokens ?? [];
  const parts = readMaps(json.attention ?? []);
  return {
    text: json.text ?? "",
    name: json.name ?? "",
    score: json.score ?? 0,
    tokens: readTargetTokens(tokens, text),
    words: readWords(json.words ?? [], text, tokens),
    maps: wholeMaps(parts),
    parts,
    entropy: json.entropy ?? [],
    coverage: json.coverage ?? [],
    sourceCoverage: json.source_coverage ?? [],
    confidences: (json.word_confidences ?? []).map((/** @type {any} */ word) => ({
      start: word.span?.start ?? 0,
      end: word.span?.end ?? 0,
      probability: word.probability ?? 0,
    })),
  };
}

/**
 * @param {any} json
 * @returns {Range}
 */
const readRange = (json) => ({ start: json?.start ?? 0, end: json?.end ?? 0 });

/**
 * @param {any} json
 * @returns {Segment}
 */
function readSegment(json) {
  return {
    source: readRange(json.source),
    target: readRange(json.target),
    sourceTokens: readRange(json.source_tokens),
    targetTokens: readRange(json.target_tokens),
    copied: json.copied ?? false,
  };
}

/**
 * @param {any} json
 * @returns {Warning}
 */
const readWarning = (json) => ({ message: json.message ?? "", segment: json.segment ?? null });

/**
 * The reasons of a high risk, as warnings, but those that a warning gives already.
 * @param {any} json
 * @returns {Warning[]}
 */
function readRisks(json) {
  const known = new Set((json.warnings ?? []).map((/** @type {any} */ warning) => warning.message));
  const reasons = (json.risk_reasons ?? []).filter((/** @type {any} */ reason) => !known.has(reason.message));
  return reasons.map((/** @type {any} */ reason) => readWarning({ ...reason, message: `doubtful: ${reason.message}` }));
}

/**
 * Maps by their kinds.
 * @param {any[]} messages
 * @returns {Map<string, AttentionMap[]>}
 */
function readMaps(messages) {
  /** @type {Map<string, AttentionMap[]>} */
  const kinds = new Map();
  for (const map of messages.map(decodeMap)) {
    const known = kinds.get(map.kind);
    if (known) known.push(map);
    else kinds.set(map.kind, [map]);
  }
  return kinds;
}

/** @param {Map<string, AttentionMap[]>} parts */
const wholeMaps = (parts) => new Map([...parts].map(([kind, maps]) => [kind, wholeMap(maps)]));

/**
 * The words of the best output, or its tokens if the result has no words; without special ones.
 * @param {Result} result
 */
export function wordsOf({ hypotheses: [best] }) {
  const units = best?.words.length ? best.words : (best?.tokens ?? []);
  return units.filter(({ special }) => !special).map(({ text }) => text);
}

/**
 * A segment as a result of its own: its units and its maps.
 * @param {Result} result
 * @param {number} index of the segment
 * @returns {Result}
 */
export function segmentOf(result, index) {
  const segment = result.segments[index];
  const axis = partOf(result.hypotheses[0].parts, index) ?? partOf(result.parts, index);
  const hypotheses = result.hypotheses.map((hypothesis, rank) => {
    return hypothesisOf(hypothesis, index, rank === 0 ? segment.targetTokens : null);
  });
  return {
    ...result,
    tokens: result.tokens.slice(segment.sourceTokens.start, segment.sourceTokens.end),
    words: axis?.byWords
      ? result.words.slice(axis.sourceOffset, axis.sourceOffset + axis.columns)
      : wordsWithin(result.words, segment.sourceTokens),
    maps: mapsOf(result.parts, index),
    hypotheses: hypotheses.filter((hypothesis) => hypothesis !== null),
    segments: [],
    warnings: result.warnings.filter((warning) => warning.segment === index),
  };
}

/**
 * @param {Hypothesis} whole
 * @param {number} index of the segment
 * @param {Range | null} range of its tokens; null if only the maps tell
 * @returns {Hypothesis | null} null if nothing tells
 */
function hypothesisOf(whole, index, range) {
  const part = partOf(whole.parts, index);
  const rows = part && { start: part.targetOffset, end: part.targetOffset + part.rows };
  const words = part?.byWords && rows ? whole.words.slice(rows.start, rows.end) : null;
  const tokens = range ?? (words ? spanned(words) : rows);
  if (!tokens) return null;
  const alignment = (whole.parts.get("alignment") ?? []).find((map) => map.segment === index);
  const columns = alignment && [alignment.sourceOffset, alignment.sourceOffset + alignment.columns];
  return {
    ...whole,
    tokens: whole.tokens.slice(tokens.start, tokens.end),
    words: words ?? wordsWithin(whole.words, tokens),
    maps: mapsOf(whole.parts, index),
    entropy: rows ? whole.entropy.slice(rows.start, rows.end) : [],
    coverage: rows ? whole.coverage.slice(rows.start, rows.end) : [],
    sourceCoverage: columns ? whole.sourceCoverage.slice(...columns) : [],
  };
}

/**
 * A map over both of a segment's axes, whose offsets say where its units are among those of the whole.
 * @param {Map<string, AttentionMap[]>} parts
 * @param {number} index of the segment
 */
function partOf(parts, index) {
  const kinds = [...parts].filter(([kind]) => kind !== "decoder_self");
  return kinds.flatMap(([, maps]) => maps).find((map) => map.segment === index);
}

/**
 * @param {Map<string, AttentionMap[]>} parts
 * @param {number} index of the segment
 */
function mapsOf(parts, index) {
  /** @type {Map<string, AttentionMap>} */
  const own = new Map();
  for (const [kind, maps] of parts) {
    const map = maps.find(({ segment }) => segment === index);
    if (map) own.set(kind, map);
  }
  return own;
}

/**
 * @param {Unit[]} words
 * @param {Range} range of tokens
 */
const wordsWithin = (words, { start, end }) => words.filter(({ tokens }) => tokens && tokens.start >= start && tokens.start < end);

/**
 * @param {Unit[]} words
 * @returns {Range}
 */
const spanned = (words) => ({ start: words[0]?.tokens?.start ?? 0, end: words[words.length - 1]?.tokens?.end ?? 0 });

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
    const isAdded = !message.special && !message.text; // such as the full stop that a heading gets for the model
    return {
      text: isAdded ? "·" : readable(message.text ?? ""),
      gap,
      special: isAdded || (message.special ?? false),
      probability: own.length ? Math.exp(own.reduce((sum, token) => sum + (token.logprob ?? 0), 0)) : null,
      copied: own.length > 0 && own.every((token) => token.copied),
      tokens: readRange(message.tokens),
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
 * A part of a text with its line breaks, without control characters.
 * @param {string} text
 */
export const legible = (text) => text.replace(/\r\n?/g, "\n").replace(CONTROLS, "\ufffd");

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
  spatial: { name: "Positions", note: "each layer's gates of the picture's regions" },
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
