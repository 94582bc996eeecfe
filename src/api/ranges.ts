import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '../base/faults.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What `toFaultAnswer` answers with 416. */
export const rangeCode = 'api.bad_range';

/**
 * The part that a `Range` header asks for; undefined: all of it. As RFC 9110 wants it, a header that is malformed, in other units or for
 * several parts at once counts for nothing.
 * @throws {Fault} invalid `api.bad_range` when the part lies behind the end
 */
function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  if (start < sizeBytes && start <= end) return { offset: start, length: end - start + 1 };
  throw new Fault('invalid', rangeCode, `There are ${sizeBytes} bytes; the range ${header} holds none of them.`, {
    details: { size_bytes: sizeBytes },
    help: 'Ask for a range that begins before the end.',
  });
}

export interface BytesAnswer {
  readonly status: 200 | 206 | 304;
  readonly headers: Readonly<Record<string, string>>;
  /** What to send; undefined with 304. */
  readonly range: ByteRange | undefined;
}

/** How a request for bytes that are known by their size and id is answered. @throws {Fault} invalid `api.bad_range` */
export function answerBytes(request: IncomingHttpHeaders, sizeBytes: number, contentId: string): BytesAnswer {
  const tag = `"${contentId}"`;
  const common = { etag: tag, 'accept-ranges': 'bytes' };
  if (namesTag(request['if-none-match'], tag)) return { status: 304, headers: common, range: undefined };
  const condition = request['if-range'];
  const part = condition === undefined || condition === tag ? parseRange(request.range, sizeBytes) : undefined;
  const range = part ?? { offset: 0, length: sizeBytes };
  const headers = { ...common, 'content-length': String(range.length) };
  if (part === undefined) return { status: 200, headers, range };
  const last = range.offset + range.length - 1;
  return { status: 206, headers: { ...headers, 'content-range': `bytes ${range.offset}-${last}/${sizeBytes}` }, range };
}

function namesTag(header: string | undefined, tag: string): boolean {
  return (header ?? '').split(',').some((each) => ['*', tag, `W/${tag}`].includes(each.trim()));
}

/** `attachment`, with the name in both forms of RFC 6266. */
export function attachment(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const full = encodeURIComponent(name).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${full}`;
}
