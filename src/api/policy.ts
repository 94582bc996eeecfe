import { Fault } from '../base/faults.ts';
import type { Caller, Identified } from '../model/caller.ts';
import { type PolicyExpression, type PolicyTarget, parsePolicyRule } from './policy-rule.ts';

/**
 * What other rules are made of. The first three are Karbor's. `reader` and `member` are what Karbor calls admin_or_owner,
 * but that whoever has the role `reader` and none above it only looks; roles that nobody here knows may do what they may
 * in Karbor. `manager` is for operators who want some things done by the project's managers alone.
 */
const baseRules = {
  context_is_admin: 'role:admin',
  admin_api: 'is_admin:True',
  admin_or_owner: 'is_admin:True or project_id:%(project_id)s',
  reader: 'rule:admin_or_owner',
  member: 'rule:admin_or_owner and (not role:reader or role:member or role:manager or role:admin)',
  manager: 'is_admin:True or (project_id:%(project_id)s and role:manager)',
};

/** Every rule by its Karbor name (`provider:checkpoint_contents` is our own). A route names one; without a rule there is no route. */
const routeRules = {
  'plan:create': 'rule:member',
  'plan:update': 'rule:member',
  'plan:delete': 'rule:member',
  'plan:get': 'rule:reader',
  'plan:get_all': 'rule:reader',
  'restore:create': 'rule:member',
  // No route asks for it; Karbor's policy files may name it.
  'restore:update': 'rule:member',
  'restore:get': 'rule:reader',
  'restore:get_all': 'rule:reader',
  'protectable:get': 'rule:reader',
  'protectable:get_all': 'rule:reader',
  'protectable:instance_get': 'rule:reader',
  'protectable:instance_get_all': 'rule:reader',
  'provider:get': 'rule:reader',
  'provider:get_all': 'rule:reader',
  'provider:checkpoint_create': 'rule:member',
  'provider:checkpoint_get': 'rule:reader',
  'provider:checkpoint_get_all': 'rule:reader',
  'provider:checkpoint_delete': 'rule:member',
  'provider:checkpoint_update': 'rule:member',
  // The bytes themselves, not what is said about them.
  'provider:checkpoint_contents': 'rule:member',
  'trigger:create': 'rule:member',
  'trigger:update': 'rule:member',
  'trigger:delete': 'rule:member',
  'trigger:get': 'rule:reader',
  'trigger:list': 'rule:reader',
  'scheduled_operation:create': 'rule:member',
  'scheduled_operation:delete': 'rule:member',
  'scheduled_operation:get': 'rule:reader',
  'scheduled_operation:list': 'rule:reader',
  'operation_log:get': 'rule:reader',
  'operation_log:list': 'rule:reader',
  'verification:create': 'rule:member',
  'verification:get': 'rule:reader',
  'verification:get_all': 'rule:reader',
  'copy:create': 'rule:member',
  'quota:get': 'rule:reader',
  'quota:get_default': 'rule:reader',
  'quota:update': 'rule:admin_api',
  'quota:delete': 'rule:admin_api',
  'quota_class:get': 'rule:reader',
  'quota_class:update': 'rule:admin_api',
  'service:get_all': 'rule:admin_api',
  'service:update': 'rule:admin_api',
  // Our own: what belongs to no project.
  'provider:gc_create': 'rule:admin_api',
  'provider:gc_get': 'rule:admin_api',
};

export type PolicyRule = keyof typeof routeRules;

interface PolicyLine {
  readonly name: string;
  readonly rule: string;
  readonly isDefault: boolean;
}

export interface Policy {
  /** The caller, if the rule lets him. @throws forbidden `policy.denied`, naming the rule */
  admit(rule: PolicyRule, caller: Identified): Caller;
  /** What is in force, in the order of the defaults. */
  list(): readonly PolicyLine[];
}

/**
 * The defaults, with what the operator says instead.
 * @throws invalid `policy.unknown_rule`, `policy.bad_rule`, `policy.endless_rule`, each naming the rule
 */
export function createPolicy(overrides: Readonly<Record<string, string>> = {}): Policy {
  const defaults: Readonly<Record<string, string>> = { ...baseRules, ...routeRules };
  for (const name of Object.keys(overrides)) if (!Object.hasOwn(defaults, name)) throw unknownRule(name, 'The policy file');
  const texts: Readonly<Record<string, string>> = { ...defaults, ...overrides };
  const rules = new Map(Object.entries(texts).map(([name, text]) => [name, parsePolicyRule(name, text)]));
  for (const [name, { references }] of rules) {
    for (const reference of references) if (!rules.has(reference)) throw unknownRule(reference, `The policy rule ${name}`);
  }
  const straight = new Set<string>();
  for (const name of rules.keys()) refuseCircle(name, rules, [], straight);

  const allows = (name: string, caller: Identified, target: PolicyTarget): boolean =>
    rules.get(name)?.allows({ caller, target, rule: (other) => allows(other, caller, target) }) ?? false;

  return {
    admit(rule, caller) {
      const own = { projectId: caller.projectId, userId: caller.userId };
      if (!allows(rule, caller, own))
        throw new Fault('forbidden', 'policy.denied', `Policy does not allow ${rule} to be performed.`, { details: { rule } });
      // An administrator, for this request, only where the rule lets him at what is not his.
      return { ...caller, isAdmin: allows('context_is_admin', caller, own) && allows(rule, caller, nobodys) };
    },
    list: () => Object.entries(texts).map(([name, rule]) => ({ name, rule, isDefault: !Object.hasOwn(overrides, name) })),
  };
}

/** A target that belongs to no one: no id is empty. */
const nobodys: PolicyTarget = { projectId: '', userId: '' };

/** `straight` remembers the rules that are known to end. */
function refuseCircle(
  name: string,
  rules: ReadonlyMap<string, PolicyExpression>,
  path: readonly string[],
  straight: Set<string>,
): void {
  if (straight.has(name)) return;
  const way = [...path, name];
  if (path.includes(name)) {
    throw new Fault('invalid', 'policy.endless_rule', `The policy rule ${name} leads back to itself: ${way.join(', ')}.`, {
      details: { rule: name },
    });
  }
  for (const reference of rules.get(name)?.references ?? []) refuseCircle(reference, rules, way, straight);
  straight.add(name);
}

function unknownRule(name: string, who: string): Fault {
  return new Fault('invalid', 'policy.unknown_rule', `${who} names the rule ${name}, which does not exist.`, {
    details: { rule: name },
    help: '`karri policy show` lists all rules; new ones cannot be made.',
  });
}
