import { describe, expect, test } from 'vitest';
import { toFaultAnswer } from '../../src/api/faults.ts';
import { Fault, type FaultKind } from '../../src/base/faults.ts';
import { type Log, type LogFields, silentLog } from '../../src/base/log.ts';

describe('fault answers', () => {
  test.each<[FaultKind, number, string]>([
    ['invalid', 400, 'badRequest'],
    ['unauthenticated', 401, 'unauthorized'],
    ['forbidden', 403, 'forbidden'],
    ['not-found', 404, 'itemNotFound'],
    ['conflict', 409, 'conflictingRequest'],
    ['unsupported', 501, 'notImplemented'],
    ['unavailable', 503, 'serviceUnavailable'],
    ['timeout', 503, 'serviceUnavailable'],
    ['cancelled', 503, 'serviceUnavailable'],
    ['corrupt', 503, 'serviceUnavailable'],
  ])('%s is %i %s', (kind, status, name) => {
    const { body, ...rest } = toFaultAnswer(new Fault(kind, 'a.b', 'It broke.', { help: 'Mend it.' }), 'req-1', silentLog);
    expect(rest).toEqual({ status, headers: {} });
    expect(JSON.parse(body)).toEqual({ [name]: { code: status, message: 'It broke. Mend it.' } });
  });

  test('an exceeded quota says when to come back', () => {
    const answer = toFaultAnswer(new Fault('over-quota', 'plan.over_quota', 'Full.'), 'req-1', silentLog);
    expect(answer).toEqual({
      status: 413,
      headers: { 'retry-after': '0' },
      body: '{"overLimit":{"code":413,"message":"Full.","retryAfter":"0"}}',
    });
  });

  test('a defect is logged with its cause and tells nothing', () => {
    const logged: LogFields[] = [];
    const log: Log = { ...silentLog, error: (_message, fields = {}) => logged.push(fields) };
    const cause = new TypeError('password is s3cret');
    const { status, body } = toFaultAnswer(cause, 'req-7', log);
    expect(status).toBe(500);
    expect(body).not.toContain('s3cret');
    expect(JSON.parse(body)).toEqual({ computeFault: { code: 500, message: expect.stringContaining('req-7') } });
    expect(logged).toEqual([{ requestId: 'req-7', code: 'base.unexpected', error: expect.objectContaining({ cause }) }]);
  });
});
