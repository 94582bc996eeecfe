/**
 * Names in a file system are bytes; texts of the API are Unicode. A path is written as the UTF-8 text it mostly is, each byte that
 * belongs to no character as `%XX`, and a `%` before two hex digits as `%25`: so every path has one text and every text one path. As it is
 * a text like any other, a client escapes it for a URL once more, whatever it holds; bytes that were escaped for the URL alone are
 * understood as well, since what is no UTF-8 arrives as it was sent.
 */
export function toPathText(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length);
  // latin1 keeps one character a byte, so that the expression sees bytes.
  return bytes.toString('latin1').replace(piece, (match, characters: string | undefined, percent: string | undefined) => {
    if (characters !== undefined) return Buffer.from(characters, 'latin1').toString('utf8');
    return percent === undefined ? percentBytes(match) : '%25';
  });
}

/** The bytes of a path; slashes at its ends count for nothing. */
export function fromPathText(text: string): Buffer {
  const latin1 = Buffer.from(text.replace(/^\/+|\/+$/g, ''), 'utf8').toString('latin1');
  return Buffer.from(
    latin1.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

/** One or more characters beyond ASCII, well-formed (no overlong ones, no surrogates) | a `%` to be escaped | a byte of none. */
const piece =
  /((?:[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+)|(%(?=[0-9a-fA-F]{2}))|[\x80-\xff]/g;

function percentBytes(latin1: string): string {
  return `%${latin1.charCodeAt(0).toString(16).toUpperCase()}`;
}
