import { Fault } from '../base/faults.ts';
import type { Caller } from '../model/caller.ts';

type Check = (caller: Caller, target: PolicyTarget | undefined) => boolean;

/** What a rule is asked about; a collection has none. */
export interface PolicyTarget {
  readonly projectId: string;
}

const admin: Check = (caller) => caller.isAdmin;
const adminOrOwner: Check = (caller, target) => caller.isAdmin || target === undefined || target.projectId === caller.projectId;

/** Every rule by its Karbor name (`provider:checkpoint_contents` is our own). A route names one; without a rule there is no route. */
const rules = {
  'plan:create': adminOrOwner,
  'plan:update': adminOrOwner,
  'plan:delete': adminOrOwner,
  'plan:get': adminOrOwner,
  'plan:get_all': adminOrOwner,
  'restore:create': adminOrOwner,
  'restore:update': adminOrOwner,
  'restore:get': adminOrOwner,
  'restore:get_all': adminOrOwner,
  'protectable:get': adminOrOwner,
  'protectable:get_all': adminOrOwner,
  'protectable:instance_get': adminOrOwner,
  'protectable:instance_get_all': adminOrOwner,
  'provider:get': adminOrOwner,
  'provider:get_all': adminOrOwner,
  'provider:checkpoint_create': adminOrOwner,
  'provider:checkpoint_get': adminOrOwner,
  'provider:checkpoint_get_all': adminOrOwner,
  'provider:checkpoint_delete': adminOrOwner,
  'provider:checkpoint_update': adminOrOwner,
  'provider:checkpoint_contents': adminOrOwner,
  'trigger:create': adminOrOwner,
  'trigger:update': adminOrOwner,
  'trigger:delete': adminOrOwner,
  'trigger:get': adminOrOwner,
  'trigger:list': adminOrOwner,
  'scheduled_operation:create': adminOrOwner,
  'scheduled_operation:delete': adminOrOwner,
  'scheduled_operation:get': adminOrOwner,
  'scheduled_operation:list': adminOrOwner,
  'operation_log:get': adminOrOwner,
  'operation_log:list': adminOrOwner,
  'verification:create': adminOrOwner,
  'verification:get': adminOrOwner,
  'verification:get_all': adminOrOwner,
  'copy:create': adminOrOwner,
  'quota:get': adminOrOwner,
  'quota:get_default': adminOrOwner,
  'quota:update': admin,
  'quota:delete': admin,
  'quota_class:get': adminOrOwner,
  'quota_class:update': admin,
  'service:get_all': admin,
  'service:update': admin,
} satisfies Record<string, Check>;

export type PolicyRule = keyof typeof rules;

/** @throws forbidden `policy.denied`, naming the rule */
export function authorize(rule: PolicyRule, caller: Caller, target?: PolicyTarget): void {
  if (rules[rule](caller, target)) return;
  throw new Fault('forbidden', 'policy.denied', `Policy does not allow ${rule} to be performed.`, { details: { rule } });
}
