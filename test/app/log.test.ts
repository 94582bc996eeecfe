import { describe, expect, test } from 'vitest';
import { createLog, type LogOptions } from '../../src/app/log.ts';
import { Fault } from '../../src/base/faults.ts';
import type { Log } from '../../src/base/log.ts';

function logged(write: (log: Log) => void, options: Partial<LogOptions> = {}): string {
  let text = '';
  const output = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLog({ level: 'info', format: 'json', output, ...options }));
  return text;
}

const canary = 'canary-7f';

describe('log', () => {
  test('writes one JSON object a line, with the fields of its parents', () => {
    const lines = logged((log) => {
      log.child({ operation: 'o1' }).warn('slow bank', { bytes: 12, provider: { name: 'north' } });
      log.debug('not this one');
      log.error('second');
    }).trimEnd();
    const [first, second, ...others] = lines.split('\n').map((line) => JSON.parse(line));
    expect(first).toMatchObject({ level: 'warn', message: 'slow bank', operation: 'o1', bytes: 12, provider: { name: 'north' } });
    expect(Number.isNaN(Date.parse(first.time))).toBe(false);
    expect(second).toMatchObject({ level: 'error', message: 'second' });
    expect(others).toEqual([]);
  });

  test('secrets do not get through, wherever they sit', () => {
    const nested = { deep: [{ restore_auth: { password: canary } }], url: `postgres://me:${canary}@db/karri` };
    const text = logged((log) => {
      log.info('a', { password: canary, key: Buffer.from(canary), providerKey: canary, 'X-Auth-Token': canary, nested });
      log.child({ secret_key: canary }).info('b', { map: new Map([['passphrase', canary]]), bytes: Buffer.from(canary) });
      log.error('c', { error: new Error(`cannot reach s3://me:${canary}@host`, { cause: new Error(`http://u:${canary}@h`) }) });
    });
    expect(text).not.toContain(canary);
    expect(text).not.toContain(Buffer.from(canary).toString('base64'));
    expect(text.split('\n')).toHaveLength(4);
  });

  test('a fault is told with its code, its help and every cause', () => {
    const fault = new Fault('unavailable', 'storage.unreachable', 'The bank is away.', {
      cause: new Error('ECONNREFUSED'),
      help: 'Start it.',
      details: { bank: 'north' },
    });
    const { error } = JSON.parse(logged((log) => log.error('failed', { error: fault })));
    expect(error).toMatchObject({
      code: 'storage.unreachable',
      kind: 'unavailable',
      help: 'Start it.',
      details: { bank: 'north' },
    });
    expect(error.cause.message).toBe('ECONNREFUSED');
    expect(error.cause.stack).toContain('log.test.ts');
  });

  test('odd values are no trouble', () => {
    const ring: Record<string, unknown> = { size: 12n, nothing: undefined, call: () => 1 };
    ring['self'] = ring;
    expect(JSON.parse(logged((log) => log.info('odd', ring)))).toMatchObject({ message: 'odd', size: '12' });
  });

  test('text is one short line', () => {
    const text = logged((log) => log.info('listening', { url: 'http://127.0.0.1:8799', note: 'two words' }), { format: 'text' });
    expect(text).toMatch(/^\d\d:\d\d:\d\d info {2}listening {2}url=http:\/\/127\.0\.0\.1:8799 {2}note="two words"\n$/);
  });
});
