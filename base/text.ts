// Text: strings that survive UTF-8. A lone surrogate has no UTF-8 form, so it would change
// silently.

/**
 * Whether `text` holds no lone surrogate. O(length), a constant for texts of one-byte characters.
 */
export function isWellFormed(text: string): boolean {
  // cast: the method is in Node 20 but not in the `lib` of ES2023
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** `text` with each lone surrogate replaced by U+FFFD. */
export function wellFormed(text: string): string {
  return isWellFormed(text) ? text : text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * `text`, cut at a character so that it takes at most `bytesMax` bytes of UTF-8, with a last line
 * that says so. Cutting again changes nothing. `bytesMax` is at least 64.
 */
export function cutText(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= bytesMax) return text;
  const note = `\n(cut: the text took ${bytes.length} bytes)`;
  let end = bytesMax - note.length;
  // 10xxxxxx continues a character: step back to a byte that starts one.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end) + note;
}
