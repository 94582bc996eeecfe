import { describe, expect, test } from 'vitest';
import { createPolicy, type PolicyRule } from '../../src/api/policy.ts';
import type { Identified } from '../../src/model/caller.ts';

const caller = (...roles: string[]): Identified => ({ userId: 'u', projectId: 'p1', roles, requestId: 'req-1' });
const denied = (rule: string) =>
  expect.objectContaining({ kind: 'forbidden', code: 'policy.denied', message: expect.stringContaining(rule) });
const lets = (rule: PolicyRule, who: Identified, overrides: Record<string, string> = {}) => {
  try {
    return createPolicy(overrides).admit(rule, who).isAdmin ? 'as administrator' : 'yes';
  } catch (error) {
    expect(error).toEqual(denied(rule));
    return 'no';
  }
};

describe('the rules of the code', () => {
  test.each<[string, string[], string, string, string]>([
    // read, write, administer
    ['an administrator', ['admin', 'manager', 'member', 'reader'], 'as administrator', 'as administrator', 'as administrator'],
    ['a manager', ['manager', 'member', 'reader'], 'yes', 'yes', 'no'],
    ['a member', ['member', 'reader'], 'yes', 'yes', 'no'],
    ['a reader', ['reader'], 'yes', 'no', 'no'],
    ['a role that nobody knows', ['_member_'], 'yes', 'yes', 'no'],
    ['a reader with a role that nobody knows', ['reader', 'auditor'], 'yes', 'no', 'no'],
    ['roles in capitals', ['Admin'], 'as administrator', 'as administrator', 'as administrator'],
  ])('%s', (_who, roles, read, write, administer) => {
    const who = caller(...roles);
    expect([lets('plan:get', who), lets('plan:create', who), lets('quota:update', who)]).toEqual([read, write, administer]);
  });
});

describe('what the operator says instead', () => {
  test('tightens and loosens a rule by name', () => {
    const rules = { 'provider:checkpoint_delete': 'rule:manager', 'service:get_all': 'role:operator' };
    expect(lets('provider:checkpoint_delete', caller('member'), rules)).toBe('no');
    expect(lets('provider:checkpoint_delete', caller('manager'), rules)).toBe('yes');
    expect(lets('service:get_all', caller('operator'), rules)).toBe('yes');
    expect(lets('plan:delete', caller('member'), rules)).toBe('yes');
  });

  test('a rule for owners alone keeps administrators from what belongs to others', () => {
    expect(lets('plan:delete', caller('admin'), { 'plan:delete': 'project_id:%(project_id)s' })).toBe('yes');
    expect(lets('plan:get', caller('admin'), { 'plan:delete': 'project_id:%(project_id)s' })).toBe('as administrator');
  });

  test('says who is an administrator', () => {
    const rules = { context_is_admin: 'role:backup_admin and project_domain_id:default' };
    expect(lets('quota:update', caller('admin'), rules)).toBe('no');
    expect(lets('quota:update', caller('backup_admin'), rules)).toBe('no');
    expect(lets('quota:update', { ...caller('backup_admin'), projectDomainId: 'default' }, rules)).toBe('as administrator');
  });

  test.each<[Record<string, string>, string, string]>([
    [{ 'plan:gett': '@' }, 'policy.unknown_rule', 'plan:gett'],
    [{ constructor_: '@' }, 'policy.unknown_rule', 'constructor_'],
    [{ 'plan:get': 'rule:owner' }, 'policy.unknown_rule', 'rule owner'],
    [{ 'plan:get': '' }, 'policy.bad_rule', 'plan:get'],
    [{ reader: 'rule:member', member: 'not rule:reader' }, 'policy.endless_rule', 'reader'],
    [{ context_is_admin: 'is_admin:True' }, 'policy.endless_rule', 'context_is_admin'],
  ])('%o stops the boot with %s, naming the rule', (overrides, code, name) => {
    expect(() => createPolicy(overrides)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(name) }));
  });

  test('is listed beside what the code says', () => {
    const list = createPolicy({ 'plan:get': '@' }).list();
    expect(list.find(({ name }) => name === 'plan:get')).toEqual({ name: 'plan:get', rule: '@', isDefault: false });
    expect(list.filter(({ isDefault }) => !isDefault)).toHaveLength(1);
    expect(list.length).toBeGreaterThan(45);
  });
});
