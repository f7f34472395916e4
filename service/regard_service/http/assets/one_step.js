/**
 * Requests of the calls that are answered in one step.
 */

/** @typedef {import("./composer.js").Call} Call */

/**
 * A call's options that only calls of one step have.
 * @param {Call} call
 */
export function oneStepOptionsOf(call) {
  return {
    ...(call.most !== null && { top_k: call.most }),
    ...(call.threshold !== null && { threshold: call.threshold }),
    ...(call.task === "encode" && call.pooling && { pooling: call.pooling }),
    ...(call.evidence.length && { explain: { evidence: call.evidence } }),
  };
}

/**
 * The texts of a call: one a line of an encoding's.
 * @param {Call} call
 */
export function textsOf({ reads, text }) {
  if (reads !== "lines") return [text];
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length ? lines : [text];
}
