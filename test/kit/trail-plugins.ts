import { Type } from 'typebox';
import { Fault } from '../../src/base/faults.ts';
import { defineProtectablePlugin, defineProtectionPlugin, type Plugin } from '../../src/plugin/define.ts';
import type { Resource } from '../../src/plugin/protectable.ts';
import type { DeleteCall, HookName, Hooks, OperationCall, RestoreCall } from '../../src/plugin/protection.ts';

/** What `createTrailPlugins` works on; tests change it as they go. */
export interface Trail {
  /** `protect main vm`, `restore complete disk`, … in the order in which they were called. */
  readonly calls: string[];
  /** `TYPE id` → content. */
  readonly contents: Map<string, Buffer>;
  /** Called before every hook with the hook's signal; a throw makes the hook fail. */
  before: (what: string, signal: AbortSignal) => Promise<void>;
  /** What a restore has made: new id → content. */
  readonly restored: Map<string, Buffer>;
}

const schema = { title: 'none', type: 'object', properties: {}, required: [] } as const;

/** `Test::Machine` with `Test::Disk` children: plugins whose every hook leaves a trail; the bytes go through the real mover. */
export function createTrailPlugins(): { plugins: Plugin[]; trail: Trail } {
  const trail: Trail = {
    calls: [],
    contents: new Map([
      ['Test::Machine vm', Buffer.from('a machine')],
      ['Test::Disk disk-a', Buffer.alloc(700_000, 'a')],
      ['Test::Disk disk-b', Buffer.alloc(300_000, 'b')],
    ]),
    before: () => Promise.resolve(),
    restored: new Map(),
  };
  const resource = (type: string, id: string): Resource => ({ type, id, name: id, extra_info: null });
  const list = (type: string) => [...trail.contents.keys()].map((key) => key.split(' ')).filter(([t]) => t === type);
  const protectable = (type: string, parentTypes: string[]) =>
    defineProtectablePlugin({
      name: type,
      type,
      parentTypes,
      configSchema: Type.Object({}),
      open: () =>
        Promise.resolve({
          list: () => Promise.resolve(list(type).map(([t = '', id = '']) => resource(t, id))),
          find: (id) => Promise.resolve(trail.contents.has(`${type} ${id}`) ? resource(type, id) : undefined),
          listDependents: () => Promise.resolve(list(type).map(([t = '', id = '']) => resource(t, id))),
          close: () => Promise.resolve(),
        }),
    });

  const hooks = <Call extends OperationCall>(
    operation: string,
    main: (call: Call) => Promise<string | undefined>,
  ): Hooks<Call> => {
    const hook = (name: HookName) => async (call: Call) => {
      const what = `${operation} ${name} ${call.resource.id}`;
      trail.calls.push(what);
      await trail.before(what, call.signal);
      return name === 'main' ? main(call) : undefined;
    };
    return {
      prepareBegin: hook('prepareBegin'),
      prepareFinish: hook('prepareFinish'),
      main: hook('main'),
      complete: hook('complete'),
      abandon: async (call) => void trail.calls.push(`${operation} abandon ${call.resource.id}`),
    };
  };

  const protection = defineProtectionPlugin({
    name: 'trail',
    configSchema: Type.Object({}),
    schemas: Object.fromEntries(
      ['Test::Machine', 'Test::Disk'].map((type) => [
        type,
        { options: schema, restore: schema, verify: schema, savedInfo: schema },
      ]),
    ),
    open: () =>
      Promise.resolve({
        protect: hooks('protect', async (call) => {
          const content = trail.contents.get(`${call.resource.type} ${call.resource.id}`);
          if (!content) throw new Fault('not-found', 'test.vanished', `${call.resource.id} has vanished.`);
          async function* stream() {
            yield content ?? Buffer.alloc(0);
          }
          const written = await call.mover.writeVolume({ stream: stream(), sizeBytes: content.length });
          return written.snapshot;
        }),
        restore: hooks<RestoreCall>('restore', async (call) => {
          const id = `new-${call.resource.id}`;
          await call.made(id);
          trail.restored.set(id, Buffer.from(String(call.saved)));
          return undefined;
        }),
        delete: hooks<DeleteCall>('delete', async (call) => {
          if (call.saved !== undefined) await call.mover.forget(String(call.saved));
          return undefined;
        }),
        close: () => Promise.resolve(),
      }),
  });
  return { plugins: [protectable('Test::Machine', []), protectable('Test::Disk', ['Test::Machine']), protection], trail };
}
