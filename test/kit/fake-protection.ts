import { Fault } from '../../src/base/faults.ts';
import { newId } from '../../src/base/ids.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { OperationLog } from '../../src/model/operation-log.ts';
import type { Page, PageQuery } from '../../src/model/page.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { ProtectableInstance } from '../../src/model/protectable.ts';
import type { Provider } from '../../src/model/provider.ts';
import type { ShownRestore } from '../../src/model/restore.ts';
import type { CheckpointQuery, Protection } from '../../src/protection/contract.ts';
import { createFakeCollections } from './fake-collections.ts';
import { createFakeContents, type FakeContents } from './fake-contents.ts';
import { createFakeQuotas, createFakeServices } from './fake-quotas.ts';
import { createFakeVerifications } from './fake-verifications.ts';

export const providerId = '2f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e11';
export const otherProviderId = '3f0c9e64-7a1d-4c1b-9f35-8d6f0a4b7e12';
export const volumeId = '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0';

const schema = (...names: string[]) => ({
  title: 'Options',
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  required: [],
});

const providers: Provider[] = [providerId, otherProviderId].map((id, index) => ({
  id,
  name: index === 0 ? 'north' : 'south',
  description: `bank ${index}`,
  schemas: {
    options: { 'Host::Directory': schema('exclude', 'keep') },
    restore: { 'Host::Directory': schema('restore_name') },
    savedInfo: {},
    verify: {},
  },
}));

/** Host::Directory has three resources; OS::Nova::Server has one with a volume under it. */
const instances: Record<string, ProtectableInstance[]> = {
  'Host::Directory': ['a', 'b', 'c'].map((letter) => ({
    id: `${letter.repeat(8)}-0000-5000-8000-000000000000`,
    type: 'Host::Directory',
    name: `dir-${letter}`,
    extraInfo: null,
    dependentResources: [],
  })),
  'OS::Nova::Server': [
    {
      id: '19be2a70-4d1c-4c55-9d38-0a7efb6f2c84',
      type: 'OS::Nova::Server',
      name: 'db-1',
      extraInfo: null,
      dependentResources: [
        { type: 'OS::Cinder::Volume', id: volumeId, name: 'db-data', extraInfo: { availability_zone: 'nova' } },
      ],
    },
  ],
};

/** All of it in memory; `seen` holds what the last calls were asked with. */
export interface FakeProtection extends Protection {
  readonly seen: { page?: PageQuery; checkpointPage?: CheckpointQuery; restoreAuth?: unknown; parameters?: unknown };
  readonly contents: FakeContents;
  /** Empty again, and the time back at the start. */
  reset(): void;
  readonly store: { plans: Plan[]; checkpoints: ShownCheckpoint[]; restores: ShownRestore[]; logs: OperationLog[] };
}

/** Ownership, order and paging as the contract wants them; every thing that is made has the next second as its time. */
export function createFakeProtection(): FakeProtection {
  const seen: FakeProtection['seen'] = {};
  const store: FakeProtection['store'] = { plans: [], checkpoints: [], restores: [], logs: [] };
  const start = Date.UTC(2031, 2, 9, 2, 0, 3, 512);
  let time = start;
  const tick = (): number => {
    time += 1000;
    return time;
  };

  function getOwn<Item extends { id: string; projectId: string }>(items: Item[], noun: string, caller: Caller, id: string): Item {
    const item = items.find((each) => each.id === id);
    if (item !== undefined && (caller.isAdmin || item.projectId === caller.projectId)) return item;
    throw new Fault('not-found', `${noun.toLowerCase()}.unknown`, `${noun} ${id} could not be found.`);
  }

  function getProvider(id: string): Provider {
    const provider = providers.find((each) => each.id === id);
    if (provider === undefined) throw new Fault('not-found', 'provider.unknown', `Provider ${id} could not be found.`);
    return provider;
  }

  function getCheckpoint(caller: Caller, provider: string, id: string): ShownCheckpoint {
    getProvider(provider);
    const checkpoint = store.checkpoints.find((each) => each.id === id);
    if (checkpoint === undefined) throw new Fault('not-found', 'checkpoint.unknown', `Checkpoint ${id} could not be found.`);
    if (!caller.isAdmin && checkpoint.projectId !== caller.projectId) {
      throw new Fault('forbidden', 'checkpoint.foreign', `Checkpoint ${id} belongs to another project.`);
    }
    return checkpoint;
  }

  function change<Item extends { id: string }>(items: Item[], id: string, members: Partial<Item>): Item {
    const index = items.findIndex((each) => each.id === id);
    const changed = { ...items[index]!, ...members };
    items[index] = changed;
    return changed;
  }

  const verifications = createFakeVerifications(store.checkpoints, seen);
  const self: FakeProtection = {
    seen,
    store,
    reset() {
      time = start;
      self.contents.reset();
      verifications.reset();
      for (const list of Object.values(store)) list.length = 0;
      for (const key of Object.keys(seen)) Reflect.deleteProperty(seen, key);
    },
    providers: { list: () => providers, get: getProvider },
    protectables: {
      listTypes: () => Object.keys(instances),
      getType(type) {
        if (instances[type] === undefined) throw unknownType(type);
        return { name: type, dependentTypes: type === 'OS::Nova::Server' ? ['OS::Cinder::Volume', 'OS::Glance::Image'] : [] };
      },
      async listInstances(_caller, type, parameters) {
        seen.parameters = parameters;
        const found = instances[type];
        if (found === undefined) throw unknownType(type);
        return found;
      },
      async getInstance(_caller, type, id, parameters) {
        seen.parameters = parameters;
        const found = instances[type];
        if (found === undefined) throw unknownType(type);
        const instance = found.find((each) => each.id === id);
        if (instance === undefined)
          throw new Fault('not-found', 'protectable.unknown_instance', `Resource ${id} could not be found.`);
        return instance;
      },
    },
    plans: {
      async create(caller, plan) {
        if (!providers.some((each) => each.id === plan.providerId)) {
          throw new Fault('invalid', 'plan.unknown_provider', `Provider ${plan.providerId} is unknown.`, {
            details: { field: 'provider_id' },
          });
        }
        if (store.plans.length >= 50)
          throw new Fault('over-quota', 'plan.over_quota', 'The quota of plans is 50, and 50 are in use.');
        const created: Plan = { ...plan, id: newId(), projectId: caller.projectId, status: 'suspended', createdAt: tick() };
        store.plans.push(created);
        return created;
      },
      async list(_caller, query) {
        seen.page = query;
        return pageOf(store.plans, query);
      },
      get: async (caller, id) => getOwn(store.plans, 'Plan', caller, id),
      async update(caller, id, members) {
        const plan = getOwn(store.plans, 'Plan', caller, id);
        if (plan.status !== 'suspended' && Object.keys(members).some((key) => key !== 'status')) {
          throw new Fault('invalid', 'plan.started', `Plan ${id} is started.`, { help: 'Suspend it first.' });
        }
        return change(store.plans, id, members);
      },
      async delete(caller, id) {
        store.plans.splice(store.plans.indexOf(getOwn(store.plans, 'Plan', caller, id)), 1);
      },
    },
    checkpoints: {
      async create(caller, provider, planId, extraInfo) {
        const plan = getOwn(store.plans, 'Plan', caller, planId);
        if (plan.providerId !== provider)
          throw new Fault('invalid', 'checkpoint.wrong_provider', `Plan ${planId} has another provider.`);
        const created: ShownCheckpoint = {
          id: newId(),
          projectId: caller.projectId,
          providerId: provider,
          status: 'protecting',
          plan: { id: plan.id, name: plan.name, providerId: provider, resources: plan.resources },
          resourceGraph: null,
          extraInfo,
          createdAt: tick(),
          resources: plan.resources.map(({ type, id, name }) => ({
            type,
            id,
            name,
            status: 'protecting',
            reason: '',
            saved: { secret: 1 },
          })),
          reason: null,
          progress: {
            doneBytes: 10,
            totalBytes: 100,
            storedBytes: 5,
            reusedBytes: 5,
            bytesPerSecond: 2.5,
            secondsLeft: 36,
            step: 'main',
            stepsDone: 1,
            stepsTotal: 4,
          },
        };
        store.checkpoints.push(created);
        return created;
      },
      async list(_caller, provider, query) {
        getProvider(provider);
        seen.checkpointPage = query;
        return pageOf(
          store.checkpoints.filter((each) => each.providerId === provider && each.status !== 'deleted'),
          query,
        );
      },
      get: async (caller, provider, id) => getCheckpoint(caller, provider, id),
      async resetState(caller, provider, id, state) {
        const { status } = getCheckpoint(caller, provider, id);
        if (status === 'protecting') throw new Fault('invalid', 'checkpoint.owned', `Checkpoint ${id} is protecting.`);
        change(store.checkpoints, id, { status: state });
      },
      async delete(caller, provider, id) {
        const { status } = getCheckpoint(caller, provider, id);
        if (status !== 'available' && status !== 'error')
          throw new Fault('invalid', 'checkpoint.busy', `Checkpoint ${id} is ${status}.`);
        change(store.checkpoints, id, { status: 'deleting' });
      },
      async undelete(caller, provider, id) {
        const checkpoint = getCheckpoint(caller, provider, id);
        if (checkpoint.status === 'deleted') return checkpoint;
        throw new Fault('invalid', 'checkpoint.not_deleted', `Checkpoint ${id} is ${checkpoint.status}.`);
      },
    },
    contents: createFakeContents(getCheckpoint),
    verifications,
    garbageCollections: createFakeCollections(getProvider),
    copies: {
      async create(caller, provider, planId, parameters) {
        const plan = getOwn(store.plans, 'Plan', caller, planId);
        if (plan.providerId !== provider)
          throw new Fault('invalid', 'checkpoint.other_provider', `Plan ${planId} has another provider.`);
        const originals = store.checkpoints.filter((each) => each.plan.id === planId && each.status === 'available');
        if (originals.length === 0) throw new Fault('invalid', 'copy.nothing', `Plan ${planId} has no checkpoint.`);
        const pairs = originals.map(({ id }) => ({ originalId: id, copyId: newId() }));
        return { projectId: plan.projectId, providerId: provider, planId, parameters, pairs };
      },
    },
    restores: {
      async create(caller, restore) {
        const { restoreAuth, ...kept } = restore;
        seen.restoreAuth = restoreAuth;
        const checkpoint = store.checkpoints.find((each) => each.id === restore.checkpointId);
        if (checkpoint !== undefined) getCheckpoint(caller, checkpoint.providerId, checkpoint.id);
        const created: ShownRestore = {
          ...kept,
          id: newId(),
          projectId: caller.projectId,
          status: checkpoint === undefined ? 'fail' : 'in_progress',
          resourcesStatus: {},
          resourcesReason: {},
          createdAt: tick(),
          progress: null,
        };
        store.restores.push(created);
        return created;
      },
      async list(_caller, query) {
        seen.page = query;
        return pageOf(store.restores, query);
      },
      get: async (caller, id) => getOwn(store.restores, 'Restore', caller, id),
    },
    operationLogs: {
      async list(_caller, query) {
        seen.page = query;
        return pageOf(
          store.logs.map((log) => ({ ...log, createdAt: log.startedAt })),
          query,
        );
      },
      get: async (caller, id) => getOwn(store.logs, 'Operation log', caller, id),
    },
    quotas: createFakeQuotas(),
    services: createFakeServices(),
  };
  return self;
}

function unknownType(type: string): Fault {
  return new Fault('invalid', 'protectable.unknown_type', `Type ${type} is unknown.`);
}

/** By time in the direction of the first sort key; filters are the API's business to pass on, not applied here. */
export function pageOf<Item extends { id: string; projectId: string; createdAt: number }>(
  all: Item[],
  query: PageQuery,
): Page<Item> {
  const sign = query.sort[0]?.direction === 'asc' ? 1 : -1;
  const mine = all
    .filter((each) => query.projectId === undefined || each.projectId === query.projectId)
    .sort((a, b) => sign * (a.createdAt - b.createdAt));
  const after = query.marker === undefined ? -1 : mine.findIndex((each) => each.id === query.marker);
  if (query.marker !== undefined && after < 0)
    throw new Fault('not-found', 'page.unknown_marker', `Marker ${query.marker} could not be found.`);
  const start = after + 1 + (query.offset ?? 0);
  return { items: mine.slice(start, start + query.limit) };
}
