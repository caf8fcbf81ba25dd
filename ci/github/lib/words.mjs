// Splits text into words as a shell does, without expanding anything: blanks and newlines part words, quotes and
// backslashes keep them together, `$` and `*` are ordinary characters.

const BLANK = /\s/;

/**
 * @param {string} text
 * @returns {string[]}
 * @throws {Error} when a quote is not closed
 */
export function words(text) {
  const found = [];
  let word = null;
  let quote = null;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (quote === "'") {
      if (c === "'") quote = null;
      else word += c;
    } else if (quote === '"') {
      if (c === '"') quote = null;
      else if (c === '\\' && '"\\$`'.includes(text[at + 1] ?? '')) word += text[(at += 1)];
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= '';
    } else if (c === '\\') {
      at += 1;
      // A line that ends in a backslash goes on in the next one.
      if (text[at] !== '\n') word = (word ?? '') + (text[at] ?? '\\');
    } else if (BLANK.test(c)) {
      if (word !== null) found.push(word);
      word = null;
    } else {
      word = (word ?? '') + c;
    }
  }
  if (quote !== null) throw new Error(`a ${quote} is not closed`);
  if (word !== null) found.push(word);
  return found;
}
