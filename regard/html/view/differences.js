/**
 * How two outputs differ: words of one that the other has not, in order.
 */

/**
 * Marks the words of an output that are not in a longest common subsequence of it and another output.
 * @param {string[]} words
 * @param {string[]} others the other output's
 * @returns {boolean[]} for each word whether it differs
 */
export function differing(words, others) {
  const width = others.length + 1;
  const common = new Uint16Array((words.length + 1) * width); // lengths for the rests from [word, other] on
  for (let at = words.length - 1; at >= 0; at--) {
    for (let other = others.length - 1; other >= 0; other--) {
      const below = (at + 1) * width + other;
      common[at * width + other] =
        words[at] === others[other] ? common[below + 1] + 1 : Math.max(common[below], common[at * width + other + 1]);
    }
  }
  const differs = words.map(() => true);
  for (let at = 0, other = 0; at < words.length && other < others.length; ) {
    if (words[at] === others[other]) {
      differs[at++] = false;
      other++;
    } else if (common[(at + 1) * width + other] >= common[at * width + other + 1]) at++;
    else other++;
  }
  return differs;
}
