import { canonicalJson, type Json } from '../../base/canonical-json.ts';
import { isUuidLike, newId } from '../../base/ids.ts';
import type { ProtectablePlugin } from '../define.ts';
import type { Protectable, ProtectableRequest, Resource } from '../protectable.ts';
import { demand, demandFault, type Law } from './law.ts';

export interface ProtectableSubject {
  readonly plugin: Pick<ProtectablePlugin, 'type' | 'parentTypes'>;
  /** Opens the plugin on something that has resources of its type; called once or twice per law. */
  open(): Promise<Protectable>;
  readonly request: ProtectableRequest;
  /** Resources under which some of this type hang. Without them the laws of dependents have nothing to say. */
  readonly parents?: readonly Resource[];
}

/** The laws of `plugin/protectable.ts`. */
export function protectableConformance(subject: ProtectableSubject): readonly Law[] {
  const { plugin, request } = subject;
  const law = (
    name: string,
    body: (protectable: Protectable, listed: readonly Resource[]) => Promise<string | undefined>,
  ): Law => ({
    name,
    run: () =>
      withOpen(subject, async (protectable) => {
        const listed = await protectable.list(request);
        return listed.length === 0 ? 'there is no resource of this type' : body(protectable, listed);
      }),
  });

  return [
    law('every resource has its type, an id and a name that fits a plan', async (_, listed) => {
      for (const resource of listed) demandResource(resource, plugin.type);
      return undefined;
    }),
    law('no two resources share an id', async (_, listed) => {
      demand(new Set(listed.map(({ id }) => id)).size === listed.length, 'an id is listed twice');
      return undefined;
    }),
    law('find gives what list gave', async (protectable, listed) => {
      for (const resource of listed) {
        const found = await protectable.find(resource.id, request);
        demand(
          found !== undefined && sameText(found, resource),
          `${resource.name} (${resource.id}) is listed, but found as ${JSON.stringify(found)}`,
        );
      }
      return undefined;
    }),
    law('find of an unknown id is undefined', async (protectable) => {
      demand((await protectable.find(newId(), request)) === undefined, 'an id that nobody gave out was found');
      return undefined;
    }),
    law('ids are the same when the plugin is opened again', async (_, listed) =>
      withOpen(subject, async (again) => {
        const ids = (resources: readonly Resource[]): string =>
          JSON.stringify(resources.map(({ id, name }) => [name, id]).sort());
        demand(ids(await again.list(request)) === ids(listed), 'the same resources came with other ids');
        return undefined;
      }),
    ),
    law('nothing hangs under a resource of a foreign type', async (protectable) => {
      const foreign = { type: 'Nobody::Knows', id: newId(), name: 'foreign' };
      demand((await protectable.listDependents(foreign, request)).length === 0, 'a foreign resource has dependents');
      return undefined;
    }),
    law('dependents are resources that find gives too', async (protectable) => {
      if (subject.parents === undefined) return 'no parent was given';
      for (const parent of subject.parents) {
        demand(plugin.parentTypes.includes(parent.type), `${parent.type} is not among the parent types`);
        const dependents = await protectable.listDependents(parent, request);
        demand(dependents.length > 0, `nothing hangs under ${parent.name}`);
        for (const dependent of dependents) {
          demandResource(dependent, plugin.type);
          demand(
            (await protectable.find(dependent.id, request)) !== undefined,
            `${dependent.name} hangs under ${parent.name} but is not found`,
          );
        }
      }
      return undefined;
    }),
    law('a call whose signal has aborted ends as cancelled', async (protectable) => {
      const gone = { ...request, signal: AbortSignal.abort() };
      await demandFault(protectable.list(gone), (fault) => fault.kind === 'cancelled', 'a list after the abort');
      await demandFault(protectable.find(newId(), gone), (fault) => fault.kind === 'cancelled', 'a find after the abort');
      return undefined;
    }),
  ];
}

async function withOpen<T>(subject: ProtectableSubject, task: (protectable: Protectable) => Promise<T>): Promise<T> {
  const protectable = await subject.open();
  try {
    return await task(protectable);
  } finally {
    await protectable.close();
  }
}

function demandResource(resource: Resource, type: string): void {
  const shown = JSON.stringify(resource);
  demand(resource.type === type, `${shown} is not of type ${type}`);
  demand(isUuidLike(resource.id), `${shown}: the id is not UUID-like`);
  demand(resource.name.trim() !== '' && resource.name.length <= 255, `${shown}: the name is empty or longer than 255 characters`);
  const extra = resource.extra_info;
  demand(
    extra == null || JSON.stringify(JSON.parse(JSON.stringify(extra))) === JSON.stringify(extra),
    `${shown}: extra_info is no JSON`,
  );
}

function sameText(one: Resource, other: Resource): boolean {
  return canonicalJson(JSON.parse(JSON.stringify(one)) as Json) === canonicalJson(JSON.parse(JSON.stringify(other)) as Json);
}
