import { Fault } from '../base/faults.ts';
import type { Identified } from '../model/caller.ts';

/** What is asked about. */
export interface PolicyTarget {
  readonly projectId: string;
  readonly userId: string;
}

/** `rule` answers for the rules that this one names. */
export interface Question {
  readonly caller: Identified;
  readonly target: PolicyTarget;
  rule(name: string): boolean;
}

export interface PolicyExpression {
  /** Names after `rule:`. */
  readonly references: readonly string[];
  allows(question: Question): boolean;
}

type Check = (question: Question) => boolean;

const maxLength = 2000;

/**
 * A rule in the form that OpenStack's policy files have:
 *
 *     or    = and { "or" and }
 *     and   = not { "and" not }
 *     not   = "not" not | "(" or ")" | check
 *     check = "@" | "!" | "role:" NAME | "rule:" NAME | MEMBER ":" (TEXT | "%(project_id)s" | "%(user_id)s")
 *
 * `@` is everybody, `!` nobody; a MEMBER is user_id, project_id, user_domain_id, project_domain_id, or is_admin (which is
 * `rule:context_is_admin`). Roles have no case. Unlike there, an empty text does not allow everything: it is refused.
 * @throws invalid `policy.bad_rule`, naming the rule and what is wrong with it
 */
export function parsePolicyRule(name: string, text: string): PolicyExpression {
  const bad = (why: string): Fault =>
    new Fault('invalid', 'policy.bad_rule', `The policy rule ${name} cannot be read: ${why}.`, {
      details: { rule: name },
      help: 'Write it like `role:admin or (role:member and project_id:%(project_id)s)`; `@` allows everybody, `!` nobody.',
    });
  if (text.length > maxLength) throw bad(`it is longer than ${maxLength} characters`);
  const words = splitWords(text);
  const references: string[] = [];
  let next = 0;

  const takes = (word: string): boolean => {
    if (words[next]?.toLowerCase() !== word) return false;
    next += 1;
    return true;
  };
  const parseOr = (): Check => {
    const parts = [parseAnd()];
    while (takes('or')) parts.push(parseAnd());
    return (question) => parts.some((part) => part(question));
  };
  const parseAnd = (): Check => {
    const parts = [parseNot()];
    while (takes('and')) parts.push(parseNot());
    return (question) => parts.every((part) => part(question));
  };
  const parseNot = (): Check => {
    if (takes('not')) {
      const inner = parseNot();
      return (question) => !inner(question);
    }
    if (takes('(')) {
      const inner = parseOr();
      if (!takes(')')) throw bad('a parenthesis is not closed');
      return inner;
    }
    const word = words[next];
    next += 1;
    return parseCheck(word, references, bad);
  };

  const allows = parseOr();
  if (next < words.length) throw bad(`"${words[next]}" stands where "and" or "or" should`);
  return { references, allows };
}

/** Parentheses are words of their own but for those of `%(name)s`. */
function splitWords(text: string): readonly string[] {
  return text.match(/[()]|(?:%\([^\s()]*\)s|[^\s()])+/g) ?? [];
}

function parseCheck(word: string | undefined, references: string[], bad: (why: string) => Fault): Check {
  if (word === undefined) throw bad('it ends where a check should stand');
  if (word === '@') return () => true;
  if (word === '!') return () => false;
  const colon = word.indexOf(':');
  const [kind, value] = [word.slice(0, Math.max(colon, 0)), word.slice(colon + 1)];
  if (kind === '' || value === '') throw bad(`"${word}" is no check`);
  if (kind === 'role') {
    const role = value.toLowerCase();
    return ({ caller }) => caller.roles.some((own) => own.toLowerCase() === role);
  }
  if (kind === 'rule') {
    references.push(value);
    return ({ rule }) => rule(value);
  }
  if (kind === 'is_admin') {
    if (!/^(true|false)$/i.test(value)) throw bad(`"${word}" must end in True or False`);
    references.push('context_is_admin');
    const wanted = value.toLowerCase() === 'true';
    return ({ rule }) => rule('context_is_admin') === wanted;
  }
  const member = members.get(kind);
  if (member === undefined) throw bad(`"${kind}" is no kind of check`);
  const expected = parseValue(value, bad);
  return ({ caller, target }) => {
    const own = member(caller);
    return own !== undefined && own !== '' && own === expected(target);
  };
}

const members: ReadonlyMap<string, (caller: Identified) => string | undefined> = new Map([
  ['user_id', ({ userId }) => userId],
  ['project_id', ({ projectId }) => projectId],
  ['user_domain_id', ({ userDomainId }) => userDomainId],
  ['project_domain_id', ({ projectDomainId }) => projectDomainId],
]);

function parseValue(value: string, bad: (why: string) => Fault): (target: PolicyTarget) => string {
  if (value === '%(project_id)s') return ({ projectId }) => projectId;
  if (value === '%(user_id)s') return ({ userId }) => userId;
  if (value.includes('%(')) throw bad(`"${value}" names nothing that a target has`);
  return () => value;
}
