/**
 * The tasks that the page knows: what each reads, and whether its answer is written token by token or made in one step.
 */

/** @typedef {"translate" | "summarize" | "caption" | "classify" | "encode" | "fill-mask" | "detect" | "answer"} Task */

/**
 * What a call reads: a text, a text with one input a line, a picture, or a picture with a question about it.
 * @typedef {"text" | "lines" | "picture" | "question"} Reads
 */

/**
 * @typedef {object} Description
 * @property {Task} task
 * @property {string} name on its tab
 * @property {string} method of gRPC
 * @property {boolean} isOneStep whether the answer is made in one step: it does not stream, and has no beams
 * @property {boolean} hasMost whether a call may limit how many labels, pieces or boxes it gets
 * @property {boolean} hasThreshold whether a call may leave out what is improbable
 * @property {string[]} hiddenKinds of map that the page does not show
 * @property {string} checkedKind of map, whose worth a call may check; "" of tasks without explanations
 * @property {(model: any) => Reads} reads of a model
 */

/** @type {Record<string, Description>} by the API's name */
export const TASKS = {
  TASK_TRANSLATION: generating("translate", "Translate", "text"),
  TASK_SUMMARIZATION: generating("summarize", "Summarize", "text"),
  TASK_CAPTIONING: generating("caption", "Caption", "picture"),
  TASK_CLASSIFICATION: {
    ...inOneStep("classify", "Classify", "Classify", "text"),
    checkedKind: "ATTENTION_KIND_ROLLOUT",
    reads: (model) => (model?.reads_pictures ? "picture" : "text"),
  },
  TASK_ENCODING: { ...inOneStep("encode", "Encode", "Encode", "lines"), hasMost: false, hasThreshold: false },
  TASK_MASK_FILLING: { ...inOneStep("fill-mask", "Fill masks", "FillMask", "text"), hasThreshold: false },
  // Among the regions themselves there is no line of words to show, and none of boxes.
  TASK_DETECTION: {
    ...inOneStep("detect", "Detect", "Detect", "picture"),
    hiddenKinds: ["ATTENTION_KIND_ENCODER_SELF"],
    checkedKind: "ATTENTION_KIND_ALIGNMENT",
  },
  TASK_ANSWERING: { ...inOneStep("answer", "Answer", "Answer", "question"), checkedKind: "ATTENTION_KIND_ROLLOUT" },
};

const BY_TASK = new Map(Object.values(TASKS).map((description) => [description.task, description]));

/**
 * @param {Task} task
 * @returns {Description}
 */
export const described = (task) => /** @type {Description} */ (BY_TASK.get(task));

/**
 * @param {Reads} reads
 */
export const readsText = (reads) => reads !== "picture";

/**
 * @param {Reads} reads
 */
export const readsPicture = (reads) => reads === "picture" || reads === "question";

/**
 * @param {Task} task
 * @param {string} method
 * @param {Reads} reads
 * @returns {Description}
 */
function generating(task, method, reads) {
  return { task, name: method, method, isOneStep: false, hasMost: false, hasThreshold: false, hiddenKinds: [], checkedKind: "", reads: () => reads };
}

/**
 * @param {Task} task
 * @param {string} name
 * @param {string} method
 * @param {Reads} reads
 * @returns {Description}
 */
function inOneStep(task, name, method, reads) {
  return { task, name, method, isOneStep: true, hasMost: true, hasThreshold: true, hiddenKinds: [], checkedKind: "", reads: () => reads };
}
