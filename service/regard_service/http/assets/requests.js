/**
 * From what the form says to the API's requests, and to the same call from elsewhere.
 */

import { oneStepOptionsOf, textsOf } from "./one_step.js";
import { described, readsPicture, readsText } from "./tasks.js";

/** @typedef {import("./composer.js").Call} Call */

/**
 * How the server is reached.
 * @typedef {object} Access
 * @property {boolean} isSecure whether by TLS
 * @property {boolean} hasToken
 */

/** Would steer a terminal, or make a line read otherwise than it runs; both JSON and Python escape them alike. */
const STEERING = /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const LONGEST_IN_FLOATS = 600; // characters

/**
 * Whether a call's text is so long that its maps are made small.
 * @param {Pick<Call, "reads" | "text">} call
 */
export const isLong = (call) => readsText(call.reads) && call.text.length > LONGEST_IN_FLOATS;

/**
 * The request of a call, without its input.
 * @param {Call} call
 * @returns {Record<string, any>}
 */
function optionsOf(call) {
  /** @type {Record<string, any>} */
  const options = { model: call.model };
  if (call.from) options.source_language = call.from;
  if (call.task === "translate" && call.to) options.target_language = call.to;
  if (call.task === "summarize" && call.to) options.style = call.to;
  const generation = {
    ...(call.beams !== null && { num_beams: call.beams }),
    ...(call.hypotheses !== null && { num_return_sequences: call.hypotheses }),
  };
  if (Object.keys(generation).length) options.generation = generation;
  if (call.tooLong) options.truncation = call.tooLong;
  Object.assign(options, oneStepOptionsOf(call));
  if (call.format !== "plain") options.text_options = { format: `FORMAT_${call.format.toUpperCase()}` };
  options.attention = {
    kinds: call.kinds,
    // A page has many maps: bytes show as much as floats.
    ...(isLong(call) && { encoding: "ENCODING_UINT8" }),
    granularity: call.words ? "GRANULARITY_WORD" : "GRANULARITY_TOKEN",
  };
  return options;
}

/**
 * A call's input under its field's name.
 * @param {Call} call
 * @param {string} picture in base64
 */
function inputOf(call, picture) {
  if (call.reads === "question") return { images: [picture], questions: [call.text] };
  if (call.reads === "picture") return call.streams ? { image: picture } : { images: [picture] };
  return call.streams ? { text: call.text } : { texts: textsOf(call) };
}

/**
 * The path and the body of a call.
 * @param {Call} call
 */
export async function requestOf(call) {
  const picture = readsPicture(call.reads) && call.picture ? await base64Of(call.picture) : "";
  const confidence = call.task === "translate" && call.hasConfidence ? { confidence: true } : {};
  const body = { ...inputOf(call, picture), ...optionsOf(call), ...prefixOf(call), ...confidence };
  return { path: pathOf(call), body };
}

/**
 * How the output is to begin.
 * @param {Call} call
 */
function prefixOf({ prefix, streams }) {
  if (!prefix) return {};
  return streams ? { target_prefix: { text: prefix } } : { target_prefixes: [{ text: prefix }] };
}

/**
 * The path and the body that return what may follow the beginning of a translation.
 * @param {Call} call
 * @param {string} prefix
 * @param {number} count
 */
export function alternativesRequestOf(call, prefix, count) {
  const { model, source_language, target_language } = optionsOf(call);
  const generation = call.beams === null ? undefined : { num_beams: call.beams };
  const options = { model, source_language, target_language, generation, num_alternatives: count };
  return { path: "/v1/translate", body: { texts: [call.text], target_prefixes: [{ text: prefix }], ...options } };
}

/** @param {Call} call */
const pathOf = (call) => `/v1/${call.task}${call.streams ? "/stream" : ""}`;

/**
 * The path and the body that translate a file.
 * @param {Call} call
 * @param {string} name of the file, whose ending tells its format
 * @param {string} document its bytes in base64
 */
export function documentRequestOf(call, name, document) {
  const { model, source_language, target_language } = optionsOf(call);
  const generation = call.beams === null ? undefined : { num_beams: call.beams };
  return { path: "/v1/translate/document", body: { document, file_name: name, model, source_language, target_language, generation } };
}

/** @param {File} file */
export async function base64Of(file) {
  return base64OfBytes(new Uint8Array(await file.arrayBuffer()));
}

/** @param {Uint8Array} bytes */
export function base64OfBytes(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  return btoa(parts.join(""));
}

/**
 * The same call in other languages.
 * @param {Call} call
 * @param {string} origin of this page
 * @param {string} target of gRPC, "host:port"
 * @param {Access} access
 * @returns {Record<"curl" | "grpcurl" | "python", string>}
 */
export function snippetsOf(call, origin, target, access) {
  const file = call.picture?.name || "picture.jpg";
  const isPicture = readsPicture(call.reads);
  const commands = commandsOf({
    url: `${origin}${pathOf(call)}`,
    target,
    method: `${call.streams ? "Stream" : ""}${described(call.task).method}`,
    streams: call.streams,
    body: { ...inputOf(call, CONTENT), ...optionsOf(call) },
    file: isPicture ? file : null,
    access,
  });
  return { ...commands, python: pythonOf(call, target, file, access) };
}

/**
 * The translation of a file in other languages.
 * @param {Call} call
 * @param {string} name of the file
 * @param {string} translated name of its translation
 * @param {string} origin of this page
 * @param {string} target of gRPC, "host:port"
 * @param {Access} access
 * @returns {Record<"curl" | "grpcurl" | "python", string>}
 */
export function documentSnippetsOf(call, name, translated, origin, target, access) {
  const { path, body } = documentRequestOf(call, name, CONTENT);
  const commands = commandsOf({ url: origin + path, target, method: "TranslateDocument", streams: true, body, file: name, access });
  const options = [literal(name), literal(call.to), `model=${literal(call.model)}`];
  if (call.from) options.push(`source_language=${literal(call.from)}`);
  if (call.beams !== null) options.push(`num_beams=${call.beams}`);
  const lines = [`    found = client.translate_document(${options.join(", ")})`, `    found.save(${literal(translated)})`];
  return { ...commands, python: programOf(lines, target, access) };
}

/** Stands in a request for the content of a file. */
const CONTENT = "@content@";

/**
 * A call as commands. The content of a file takes its mark's place: a command line is too short for it.
 * @param {{url: string, target: string, method: string, streams: boolean, body: object, file: string | null, access: Access}} call
 */
function commandsOf({ url, target, method, streams, body, file, access }) {
  const token = access.hasToken ? ' -H "authorization: Bearer $TOKEN"' : "";
  const [sent, data] = sentBy(literal(withShortNames(body)), file, "@-");
  const [grpcSent, grpcData] = sentBy(literal(body), file, "@");
  return {
    curl: `${sent}curl ${streams ? "-N " : ""}${url} -H 'content-type: application/json'${token} -d ${data}`,
    grpcurl: `${grpcSent}grpcurl ${access.isSecure ? "" : "-plaintext "}-d ${grpcData}${token} ${target} regard.v1.AttentionService/${method}`,
  };
}

/**
 * What writes a body into a command's pipe, and the command's argument for it.
 * @param {string} body
 * @param {string | null} file whose content takes the mark's place; null if there is none
 * @param {string} input the argument that reads the pipe
 */
function sentBy(body, file, input) {
  if (file === null) return ["", quoted(body)];
  const at = body.indexOf(CONTENT); // the input is the body's first field
  const [before, after] = [body.slice(0, at), body.slice(at + CONTENT.length)];
  return [`{ printf %s ${quoted(before)}; base64 < ${quoted(file)} | tr -d '\\n'; printf %s ${quoted(after)}; } |\n  `, input];
}

/** The fields of enums, and what their values begin with. HTTP takes the values without it, grpcurl does not. */
/** @type {Record<string, string>} */
const PREFIXES = {
  kinds: "ATTENTION_KIND_",
  granularity: "GRANULARITY_",
  encoding: "ENCODING_",
  truncation: "TRUNCATION_",
  format: "FORMAT_",
  pooling: "POOLING_",
};

/**
 * A body with the short names of enums.
 * @param {object} body
 */
function withShortNames(body) {
  const short = (/** @type {string} */ key, /** @type {string} */ value) => value.replace(PREFIXES[key], "").toLowerCase();
  return JSON.parse(JSON.stringify(body), (key, value) => {
    if (!(key in PREFIXES)) return value;
    return Array.isArray(value) ? value.map((each) => short(key, each)) : short(key, value);
  });
}

/**
 * Quoted for a shell.
 * @param {string} text
 */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * JSON, and of a string Python too, which has the same escapes.
 * @param {unknown} value
 */
const literal = (value) =>
  JSON.stringify(value).replace(STEERING, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** @param {string} value an enum's name in the API; "TRUNCATION_SPLIT_AND_JOIN" is "split_and_join" in Python */
const shortName = (value) => value.slice(value.indexOf("_") + 1).toLowerCase();

/**
 * @param {Call} call
 * @param {string} target
 * @param {string} file
 * @param {Access} access
 */
function pythonOf(call, target, file, access) {
  if (described(call.task).isOneStep) return programOf(oneStepProgramOf(call, file), target, access);
  const options = [literal(call.task === "caption" ? file : call.text)];
  if (call.from) options.push(`source_language=${literal(call.from)}`);
  if (call.format !== "plain") options.push(`format=${literal(call.format)}`);
  if (call.task === "translate" && call.to) options.push(`to=${literal(call.to)}`);
  if (call.task === "summarize" && call.to) options.push(`style=${literal(call.to)}`);
  options.push(`model=${literal(call.model)}`);
  if (call.beams !== null) options.push(`num_beams=${call.beams}`);
  if (call.hypotheses !== null) options.push(`num_return_sequences=${call.hypotheses}`);
  if (call.tooLong) options.push(`truncation=${literal(shortName(call.tooLong))}`);
  options.push(...mapOptionsOf(call));
  const page = call.task === "caption" ? `"attention.html", picture=${literal(file)}` : '"attention.html"';
  const body = call.streams
    ? [`    for event in client.stream_${call.task}(${options.join(", ")}):`, "        print(event)"]
    : [
        `    result = client.${call.task}(${options.join(", ")})`,
        "    print(result.text)",
        `    result.save_html(${page})`,
      ];
  return programOf(body, target, access);
}

/**
 * The options of a Python call that ask for maps.
 * @param {Call} call
 */
function mapOptionsOf({ kinds, words }) {
  const names = kinds.map((kind) => literal(kind.replace("ATTENTION_KIND_", "").toLowerCase()));
  return [`attention=[${names.join(", ")}]`, ...(words ? ["words=True"] : [])];
}

/**
 * The lines of a program whose call is answered in one step.
 * @param {Call} call
 * @param {string} file
 */
function oneStepProgramOf(call, file) {
  const inputs = { text: [literal(call.text)], lines: [`[${textsOf(call).map(literal).join(", ")}]`], picture: [literal(file)], question: [literal(file), literal(call.text)] };
  const name = { classify: call.reads === "picture" ? "classify_images" : "classify", "fill-mask": "fill_mask" };
  const method = name[/** @type {keyof typeof name} */ (call.task)] ?? call.task;
  const options = [...inputs[call.reads], `model=${literal(call.model)}`];
  if (call.most !== null) options.push(`top_k=${call.most}`);
  if (call.threshold !== null) options.push(`threshold=${call.threshold}`);
  if (call.evidence.length) options.push(`explain=[${call.evidence.map((each) => literal(shortName(each))).join(", ")}]`);
  if (call.task === "encode" && call.pooling) options.push(`pooling=${literal(shortName(call.pooling))}`);
  if (call.tooLong) options.push(`truncation=${literal(shortName(call.tooLong))}`);
  return [`    print(client.${method}(${[...options, ...mapOptionsOf(call)].join(", ")}))`];
}

/**
 * A program that calls by a client.
 * @param {string[]} body its lines
 * @param {string} target
 * @param {Access} access
 */
function programOf(body, target, access) {
  const imports = [...(access.hasToken ? ["import os", ""] : []), ...(access.isSecure ? ["import grpc"] : []), "import regard"];
  const arguments_ = [literal(target)];
  if (access.isSecure) arguments_.push("credentials=grpc.ssl_channel_credentials()");
  if (access.hasToken) arguments_.push("metadata=[(\"authorization\", f\"Bearer {os.environ['TOKEN']}\")]");
  return [...imports, "", `with regard.Client(${arguments_.join(", ")}) as client:`, ...body].join("\n");
}
