import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePolicyRule, type Question } from '../../src/api/policy-rule.ts';
import { Fault } from '../../src/base/faults.ts';

const question: Question = {
  caller: { userId: 'u1', projectId: 'p1', roles: ['member', 'Reader'], userDomainId: 'd1', requestId: 'r' },
  target: { projectId: 'p1', userId: 'u2' },
  rule: (name) => name === 'yes',
};
const allows = (text: string) => parsePolicyRule('x', text).allows(question);

describe('a policy rule', () => {
  test.each([
    ['@', true],
    ['!', false],
    ['role:member', true],
    ['role:reader', true],
    ['role:admin', false],
    ['rule:yes', true],
    ['rule:no', false],
    ['is_admin:True', false],
    ['is_admin:False', true],
    ['project_id:%(project_id)s', true],
    ['user_id:%(user_id)s', false],
    ['user_id:u1', true],
    ['user_domain_id:d1', true],
    ['project_domain_id:d1', false],
    ['not role:admin', true],
    ['not not role:admin', false],
    ['role:admin or role:member', true],
    ['role:admin or role:member and !', false],
    ['(role:admin or role:member) and @', true],
    ['@ or ! and !', true],
    ['not ! and !', false],
    ['((@))', true],
    // As in OpenStack a comma belongs to the name.
    ['role:admin,role:member', false],
    ['  (  project_id:%(project_id)s)AND(not role:admin) ', true],
  ])('%s is %s', (text, expected) => expect(allows(text)).toBe(expected));

  test('knows which rules it names', () => {
    expect(parsePolicyRule('x', 'rule:a and (rule:b or is_admin:True)').references).toEqual(['a', 'b', 'context_is_admin']);
  });

  test('a member that neither has is no match', () => {
    const nobody = { ...question, caller: { ...question.caller, projectId: '' }, target: { projectId: '', userId: '' } };
    expect(parsePolicyRule('x', 'project_id:%(project_id)s').allows(nobody)).toBe(false);
  });

  test.each([
    '',
    '   ',
    'and',
    'role:admin or',
    'or role:admin',
    'role:admin role:member',
    '(role:admin',
    'role:admin)',
    '()',
    'not',
    'role:',
    ':admin',
    'admin',
    'colour:red',
    'toString:x',
    '__proto__:x',
    'is_admin:maybe',
    'project_id:%(tenant)s',
    'project_id:%(project_id)',
    `@${' and @'.repeat(1000)}`,
  ])('%s is refused by name', (text) => {
    expect(() => parsePolicyRule('plan:get', text)).toThrow(
      expect.objectContaining({ code: 'policy.bad_rule', message: expect.stringContaining('plan:get') }),
    );
  });
});

interface Tree {
  readonly text: string;
  readonly value: boolean;
}

const { tree } = fc.letrec<{ tree: Tree; leaf: Tree; not: Tree; and: Tree; or: Tree }>((tie) => ({
  leaf: fc.constantFrom(
    { text: '@', value: true },
    { text: '!', value: false },
    { text: 'role:member', value: true },
    { text: 'rule:no', value: false },
    { text: 'project_id:%(project_id)s', value: true },
  ),
  not: tie('tree').map(({ text, value }) => ({ text: `not (${text})`, value: !value })),
  and: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map((parts) => ({
    text: parts.map(({ text }) => `(${text})`).join(' and '),
    value: parts.every(({ value }) => value),
  })),
  or: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }).map((parts) => ({
    text: parts.map(({ text }) => `(${text})`).join(' or '),
    value: parts.some(({ value }) => value),
  })),
  tree: fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('not'), tie('and'), tie('or')),
}));

describe('for any text', () => {
  test('a rule means what its parts mean', () => {
    fc.assert(
      fc.property(tree, ({ text, value }) => {
        fc.pre(text.length <= 2000);
        expect(allows(text)).toBe(value);
      }),
      { numRuns: 1000 },
    );
  });

  test('a rule is read or refused, never anything else', () => {
    const word = fc.constantFrom(
      '(',
      ')',
      'and',
      'or',
      'not',
      '@',
      '!',
      'role:',
      'role:x',
      'rule:y',
      '%(project_id)s',
      ':',
      '%(',
      ' ',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 40 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          expect(typeof allows(given)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
