import { Fault } from '../base/faults.ts';
import type { Caller } from '../model/caller.ts';
import type { ResourceRef } from '../model/protectable.ts';
import type { ProtectableRequest, Resource } from '../plugin/protectable.ts';
import type { ProtectableService } from './contract.ts';
import type { OpenProtectable } from './deps.ts';

export function createProtectableService(protectables: readonly OpenProtectable[]): ProtectableService {
  const open = (type: string): OpenProtectable => {
    const found = protectables.find((candidate) => candidate.type === type);
    if (found) return found;
    throw new Fault('invalid', 'protectable.unknown_type', `Resource type ${type} is not known here.`, {
      help: 'GET /protectables lists the types of this service.',
    });
  };
  const withDependents = async (caller: Caller, resource: Resource) => ({
    ...toRef(resource),
    dependentResources: await listDependents(protectables, caller, toRef(resource)),
  });

  return {
    listTypes: () => protectables.map(({ type }) => type).sort(),
    getType(type) {
      open(type);
      return { name: type, dependentTypes: protectables.filter((p) => p.parentTypes.includes(type)).map((p) => p.type) };
    },
    async listInstances(caller, type, parameters) {
      const resources = await open(type).protectable.list(request(caller, parameters));
      const sorted = [...resources].sort((a, b) => (a.id < b.id ? -1 : 1));
      return Promise.all(sorted.map((resource) => withDependents(caller, resource)));
    },
    async getInstance(caller, type, id, parameters) {
      const resource = await open(type).protectable.find(id, request(caller, parameters));
      if (!resource) throw new Fault('not-found', 'protectable.unknown_instance', `${type} ${id} could not be found.`);
      return withDependents(caller, resource);
    },
  };
}

/** Resources of every type that hang directly under the parent. */
export async function listDependents(
  protectables: readonly OpenProtectable[],
  caller: Caller,
  parent: ResourceRef,
): Promise<readonly ResourceRef[]> {
  const lists = await Promise.all(
    protectables
      .filter((candidate) => candidate.parentTypes.includes(parent.type))
      .map(({ protectable }) => protectable.listDependents({ ...parent, extra_info: parent.extraInfo }, request(caller))),
  );
  return lists.flat().map(toRef);
}

function request(caller: Caller, parameters?: Readonly<Record<string, unknown>>): ProtectableRequest {
  return {
    projectId: caller.projectId,
    userId: caller.userId,
    ...(caller.token !== undefined && { token: caller.token }),
    ...(parameters && { parameters }),
  };
}

function toRef({ type, id, name, extra_info }: Resource): ResourceRef {
  return { type, id, name, extraInfo: extra_info ?? null };
}
