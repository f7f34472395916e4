/**
 * Attention maps in JSON, each decoded into a typed array at its first access.
 */

/**
 * @typedef {object} AttentionMap
 * @property {boolean} isHere whether the browser has parsed its numbers; those of large maps follow the page's script
 * @property {string} kind "cross", "alignment", "encoder_self", "decoder_self", "rollout" or "spatial"
 * @property {number[]} layers numbers of the layers on the first axis; of an alignment, those averaged
 * @property {number[]} heads numbers of the heads on the second axis, likewise
 * @property {boolean} byWords whether the last two axes count words, not tokens
 * @property {number} rows
 * @property {number} columns
 * @property {number} segment index of the text's segment that it belongs to
 * @property {number} sourceOffset position of its first column among those of the whole text
 * @property {number} targetOffset position of its first row among those of the whole output
 * @property {Float32Array} values row-major: [layers, heads, rows, columns], or [rows, columns]
 * @property {boolean} hasHeads
 */

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const BYTES = { ENCODING_FLOAT32: 4, ENCODING_FLOAT16: 2, ENCODING_UINT8: 1 };

/**
 * @param {any} message an AttentionMap in protobuf's JSON
 * @returns {AttentionMap}
 */
export function decodeMap(message) {
  const shape = message.shape ?? [];
  if (shape.length !== 2 && shape.length !== 4) throw new Error(`an attention map has ${shape.length} axes`);
  const [rows, columns] = shape.slice(-2);
  /** @type {Float32Array | undefined} */
  let decoded;
  return {
    get isHere() {
      return !message.numbers || document.readyState !== "loading";
    },
    kind: message.kind.replace("ATTENTION_KIND_", "").toLowerCase(),
    layers: message.layers ?? [],
    heads: message.heads ?? [],
    byWords: message.granularity === "GRANULARITY_WORD",
    rows,
    columns,
    segment: message.segment ?? 0,
    sourceOffset: message.source_offset ?? 0,
    targetOffset: message.target_offset ?? 0,
    get values() {
      return (decoded ??= decodeValues(message, shape));
    },
    hasHeads: shape.length === 4,
  };
}

/**
 * The map of a whole text from those of its segments; weights between different segments are 0.
 * @param {AttentionMap[]} maps of one kind, at least one
 * @returns {AttentionMap}
 */
export function wholeMap(maps) {
  const [first] = maps;
  if (maps.length === 1) return first;
  const rows = Math.max(...maps.map((map) => map.targetOffset + map.rows));
  const columns = Math.max(...maps.map((map) => map.sourceOffset + map.columns));
  /** @type {Float32Array | undefined} */
  let joined;
  return {
    get isHere() {
      return maps.every((map) => map.isHere);
    },
    kind: first.kind,
    layers: first.layers,
    heads: first.heads,
    byWords: first.byWords,
    rows,
    columns,
    segment: 0,
    sourceOffset: 0,
    targetOffset: 0,
    get values() {
      return (joined ??= placed(maps, rows, columns));
    },
    hasHeads: first.hasHeads,
  };
}

/**
 * Writes maps at their places.
 * @param {AttentionMap[]} maps of one kind
 * @param {number} rows of the whole
 * @param {number} columns of the whole
 */
export function placed(maps, rows, columns) {
  const matrices = maps[0].hasHeads ? maps[0].layers.length * maps[0].heads.length : 1;
  const values = new Float32Array(matrices * rows * columns);
  for (const map of maps) {
    for (let matrix = 0; matrix < matrices; matrix++) {
      for (let row = 0; row < map.rows; row++) {
        const at = (matrix * map.rows + row) * map.columns;
        const place = (matrix * rows + map.targetOffset + row) * columns + map.sourceOffset;
        values.set(map.values.subarray(at, at + map.columns), place);
      }
    }
  }
  return values;
}

/**
 * @param {any} message
 * @param {number[]} shape
 */
function decodeValues(message, shape) {
  const length = shape.reduce((product, size) => product * size, 1);
  const columns = shape[shape.length - 1];
  const topK = message.top_k ?? 0;
  const stored = decodeNumbers(message, topK ? (length / columns) * topK : length);
  if (!topK) return stored;
  const indices = littleEndian(message.indices, 2);
  const values = new Float32Array(length);
  for (let at = 0; at < stored.length; at++) {
    values[Math.floor(at / topK) * columns + indices.getUint16(2 * at, true)] = stored[at];
  }
  return values;
}

/**
 * @param {any} message
 * @param {number} count
 */
function decodeNumbers(message, count) {
  const encoding = /** @type {keyof typeof BYTES} */ (message.encoding);
  if (!(encoding in BYTES)) throw new Error(`an attention map has the unknown encoding ${encoding}`);
  const text = message.numbers ? document.getElementById(message.numbers)?.textContent : message.data;
  const data = littleEndian(text, BYTES[encoding]);
  if (data.byteLength !== count * BYTES[encoding]) {
    throw new Error(`an attention map has ${data.byteLength} bytes, but its shape asks for ${count * BYTES[encoding]}`);
  }
  if (encoding === "ENCODING_FLOAT32" && HOST_IS_LITTLE_ENDIAN) return new Float32Array(data.buffer);
  const numbers = new Float32Array(count);
  const scale = Math.fround(message.scale ?? 0);
  for (let at = 0; at < count; at++) {
    if (encoding === "ENCODING_FLOAT32") numbers[at] = data.getFloat32(4 * at, true);
    else if (encoding === "ENCODING_FLOAT16") numbers[at] = halfToNumber(data.getUint16(2 * at, true));
    else numbers[at] = data.getUint8(at) * scale;
  }
  return numbers;
}

/**
 * @param {string | null | undefined} base64
 * @param {number} size of a number, in bytes
 */
function littleEndian(base64, size) {
  const bytes = bytesOf(base64 ?? "");
  if (bytes.length % size) throw new Error("an attention map ends within a number");
  return new DataView(bytes.buffer);
}

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(base64) {
  // Newer browsers have a native decoder, many times faster.
  const native = /** @type {{fromBase64?: (text: string) => Uint8Array<ArrayBuffer>}} */ (/** @type {unknown} */ (Uint8Array));
  if (native.fromBase64) return native.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/**
 * IEEE 754 binary16.
 * @param {number} bits
 */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * One matrix of a map, [rows, columns]: of a layer and a head; null averages over all layers or heads.
 * @param {AttentionMap} map
 * @param {number | null} layer a layer's number
 * @param {number | null} head a head's number
 * @returns {Float32Array}
 */
export function matrixOf(map, layer, head) {
  if (!map.hasHeads) return map.values;
  const size = map.rows * map.columns;
  const layers = layer === null ? map.layers.keys() : [map.layers.indexOf(layer)];
  const chosen = [];
  for (const layerAt of layers) {
    for (const headAt of head === null ? map.heads.keys() : [map.heads.indexOf(head)]) {
      chosen.push((layerAt * map.heads.length + headAt) * size);
    }
  }
  if (chosen.length === 1) return map.values.subarray(chosen[0], chosen[0] + size);
  const average = new Float32Array(size);
  for (const start of chosen) {
    for (let at = 0; at < size; at++) average[at] += map.values[start + at] / chosen.length;
  }
  return average;
}

/**
 * The largest weight, but at least 1e-6, so that weights can be divided by it.
 * @param {Float32Array} values
 */
export function largestOf(values) {
  let largest = 1e-6;
  for (const value of values) if (value > largest) largest = value;
  return largest;
}
