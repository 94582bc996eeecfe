/** The head of an HTTP answer, as far as the fast path of GETs can follow one. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name; several of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of body that come after the head. */
  readonly bodyBytes: number;
  /** Whether the connection may carry another request after the body. */
  readonly keepAlive: boolean;
}

/** A head must end within so many bytes. */
export const maxHeadBytes = 16 * 1024;
const maxHeaders = 100;
const maxErrorBytes = 1024 * 1024;
const statusLine = /^HTTP\/1\.1 ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;

/**
 * Reads a head, given without the empty line at its end. Undefined for all that is not plainly one whole body of a known length:
 * what is unclear here (chunks, redirects, 100-continue, HTTP/1.0, a line out of form) is for a full HTTP client to judge.
 */
export function parseHead(bytes: Uint8Array): ResponseHead | undefined {
  const [first = '', ...lines] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split('\r\n');
  const status = Number(statusLine.exec(first)?.[1] ?? 0);
  const isObject = status === 200 || status === 206;
  if (!(isObject || status >= 400) || lines.length > maxHeaders) return undefined;

  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = headerLine.exec(line);
    if (!match) return undefined;
    const [, name = '', value = ''] = match;
    const known = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), known === undefined ? value.trim() : `${known}, ${value.trim()}`);
  }
  // Two lengths, or one beside a transfer coding, are how answers are smuggled.
  const length = headers.get('content-length') ?? '';
  if (!/^\d{1,15}$/.test(length) || headers.has('transfer-encoding') || headers.has('trailer')) return undefined;
  if (!isObject && Number(length) > maxErrorBytes) return undefined;
  return {
    status,
    headers: Object.fromEntries(headers),
    bodyBytes: Number(length),
    keepAlive: !/\b(close|upgrade)\b/i.test(headers.get('connection') ?? ''),
  };
}
