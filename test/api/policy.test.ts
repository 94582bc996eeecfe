import { describe, expect, test } from 'vitest';
import { authorize } from '../../src/api/policy.ts';
import type { Caller } from '../../src/model/caller.ts';

const member: Caller = { userId: 'u', projectId: 'p1', roles: ['member'], isAdmin: false, requestId: 'req-1' };
const admin: Caller = { ...member, isAdmin: true };
const denied = (rule: string) =>
  expect.objectContaining({ kind: 'forbidden', code: 'policy.denied', message: expect.stringContaining(rule) });

describe('policy', () => {
  test('members do with their own, and with collections, what owners may', () => {
    expect(() => authorize('plan:get', member)).not.toThrow();
    expect(() => authorize('plan:get', member, { projectId: 'p1' })).not.toThrow();
    expect(() => authorize('plan:get', member, { projectId: 'p2' })).toThrow(denied('plan:get'));
  });

  test('what is for administrators names its rule to others', () => {
    expect(() => authorize('quota:update', member, { projectId: 'p1' })).toThrow(denied('quota:update'));
    expect(() => authorize('service:get_all', member)).toThrow(denied('service:get_all'));
  });

  test('administrators may do everything', () => {
    expect(() => authorize('quota:update', admin, { projectId: 'p2' })).not.toThrow();
    expect(() => authorize('plan:delete', admin, { projectId: 'p2' })).not.toThrow();
  });
});
