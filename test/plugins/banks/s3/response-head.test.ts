import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseHead } from '../../../../plugins/banks/s3/response-head.ts';

const parse = (text: string) => parseHead(Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1'));
const length = 'Content-Length: 5';

describe('the head of an answer', () => {
  test('is read with its names in lower case and its values bare', () => {
    expect(parse(`HTTP/1.1 206 Partial Content\n${length}\nETag:\t"a b" \nX-Empty:\nVary: a\nvary: b`)).toEqual({
      status: 206,
      headers: { 'content-length': '5', etag: '"a b"', 'x-empty': '', vary: 'a, b' },
      bodyBytes: 5,
      keepAlive: true,
    });
  });

  test('tells when the connection is to be closed', () => {
    expect(parse(`HTTP/1.1 200 OK\n${length}\nConnection: Close`)?.keepAlive).toBe(false);
    expect(parse(`HTTP/1.1 200\n${length}\nConnection: keep-alive`)?.keepAlive).toBe(true);
  });

  test('may name anything', () => {
    const head = parse(`HTTP/1.1 200 OK\n${length}\n__proto__: x\nconstructor: y`);
    expect(Object.entries(head?.headers ?? {})).toEqual([
      ['content-length', '5'],
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(Object.getPrototypeOf(head?.headers)).toBe(Object.prototype);
  });

  test.each([
    ['chunks', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked'],
    ['chunks beside a length', `HTTP/1.1 200 OK\n${length}\nTransfer-Encoding: chunked`],
    ['trailers', `HTTP/1.1 200 OK\n${length}\nTrailer: x`],
    ['no length', 'HTTP/1.1 200 OK\nDate: now'],
    ['two lengths', `HTTP/1.1 200 OK\n${length}\n${length}`],
    ['a length that is none', 'HTTP/1.1 200 OK\nContent-Length: -5'],
    ['a length in hex', 'HTTP/1.1 200 OK\nContent-Length: 0x5'],
    ['a length beyond all numbers', 'HTTP/1.1 200 OK\nContent-Length: 99999999999999999999'],
    ['100 Continue', `HTTP/1.1 100 Continue\n${length}`],
    ['a redirect', `HTTP/1.1 307 Temporary Redirect\n${length}`],
    ['an answer without a body', `HTTP/1.1 204 No Content\n${length}`],
    ['a large error', 'HTTP/1.1 500 Oh\nContent-Length: 1048577'],
    ['HTTP/1.0', `HTTP/1.0 200 OK\n${length}`],
    ['a folded line', `HTTP/1.1 200 OK\n${length}\nA: b\n c`],
    ['a space before the colon', `HTTP/1.1 200 OK\n${length}\nA : b`],
    ['a line without a name', `HTTP/1.1 200 OK\n${length}\n: b`],
    ['a NUL', `HTTP/1.1 200 OK\n${length}\nA: b\0`],
    ['a bare carriage return', `HTTP/1.1 200 OK\n${length}\nA: b\rC: d`],
    ['more than a hundred lines', `HTTP/1.1 200 OK\n${length}${'\nA: b'.repeat(100)}`],
    ['nothing', ''],
  ])('is left to others: %s', (_, text) => {
    expect(parse(text)).toBeUndefined();
  });

  test('never breaks the reader, whatever the bytes', () => {
    const near = `HTTP/1.1 200 OK\r\n${length}\r\nETag: "x"`;
    const mutated = fc
      .tuple(fc.nat(near.length), fc.nat(4), fc.string({ maxLength: 4, unit: 'binary' }))
      .map(([at, cut, put]) => Buffer.from(near.slice(0, at) + put + near.slice(at + cut), 'latin1'));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (bytes) => {
        const head = parseHead(bytes);
        if (!head) return;
        expect([200, 206].includes(head.status) || head.status >= 400).toBe(true);
        expect(head.bodyBytes).toBe(Number(head.headers['content-length']));
        expect(Object.keys(head.headers).every((name) => name === name.toLowerCase())).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
