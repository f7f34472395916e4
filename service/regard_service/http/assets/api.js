/**
 * Calls of the JSON API: unary ones, and streams of server-sent events.
 */

/**
 * A call that failed, as the server tells it (RFC 9457).
 */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {{field: string, description: string}[]} violations
   * @param {number} status of HTTP; 0 if there was no answer, -1 if the problem is none of a call
   */
  constructor(title, detail, violations = [], status = -1) {
    super(detail);
    this.title = title;
    this.violations = violations;
    this.status = status;
  }

  /** The server has gone, or its answer has ended too early. */
  static lost() {
    return new Problem("Connection lost", "The server has gone before the answer was whole.", [], 0);
  }

  /** @param {any} body */
  static of(body) {
    return new Problem(body.title ?? "The call failed", body.detail ?? "", body.violations, body.status);
  }
}

const TOKEN = "regard-token";

/** Whether calls carry a token: one that the reader gave, kept by this tab only. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

/** @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token !== null && { authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error instanceof DOMException) throw error; // stopped by the reader
    throw new Problem("No answer", "The server cannot be reached.", [], 0);
  }
  if (answer.ok) return answer;
  const isProblem = answer.headers.get("content-type")?.includes("json");
  throw Problem.of(isProblem ? await whole(answer.json()) : { title: `HTTP ${answer.status}`, status: answer.status });
}

/**
 * An answer's body; one that ends too early is no `TypeError` or `SyntaxError`, but a lost connection.
 * @template Body
 * @param {Promise<Body>} body
 * @returns {Promise<Body>}
 */
async function whole(body) {
  return body.catch((error) => {
    if (error instanceof DOMException) throw error; // stopped by the reader
    throw Problem.lost();
  });
}

/**
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {RequestInit}
 */
const posting = (body, signal) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

/** @param {string} path */
export async function get(path) {
  return whole((await ask(path)).json());
}

/**
 * @param {string} path
 * @returns {Promise<Blob>} a file of the page
 */
export async function getFile(path) {
  return whole((await ask(path)).blob());
}

/**
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal} signal
 */
export async function post(path, body, signal) {
  return whole((await ask(path, posting(body, signal))).json());
}

/**
 * Yields the events of a stream: what happened, and the message.
 * @param {string} path
 * @param {object} body
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{name: string, data: any}>}
 */
export async function* stream(path, body, signal) {
  const answer = await ask(path, posting(body, signal));
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  const decoder = new TextDecoder();
  /** @type {string[]} an event's pieces: a translated file is many of them, and none is looked through twice */
  let waiting = [];
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error instanceof DOMException) throw error; // stopped by the reader
      throw Problem.lost();
    });
    if (done) return;
    const piece = decoder.decode(value, { stream: true });
    waiting.push(piece);
    if (!piece.includes("\n")) continue;
    const blocks = waiting.join("").split("\n\n");
    waiting = [blocks.pop() ?? ""];
    for (const block of blocks) {
      const [name, data] = block.split("\n").map((line) => line.slice(line.indexOf(":") + 2));
      if (name === "error") throw Problem.of(JSON.parse(data));
      yield { name, data: JSON.parse(data) };
    }
  }
}
