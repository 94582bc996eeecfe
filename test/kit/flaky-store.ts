import { storeFault } from '../../src/storage/faults.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';

type Operation = 'put' | 'get' | 'stat' | 'list' | 'delete';

/** `before`: the call fails without effect. `after`: it takes effect and its answer is lost. */
export type Trouble = 'before' | 'after' | undefined;

/** A store whose calls fail as `choose` says; calls count from 1, an entry of a listing is a call. */
export function createFlakyStore(store: ObjectStore, choose: (operation: Operation, call: number) => Trouble): ObjectStore {
  let calls = 0;
  const run = async <T>(operation: Operation, work: () => Promise<T>): Promise<T> => {
    calls++;
    const trouble = choose(operation, calls);
    const fault = storeFault('storage.unreachable', `call ${calls} (${operation}) was cut off`);
    if (trouble === 'before') throw fault;
    const result = await work();
    if (trouble === 'after') throw fault;
    return result;
  };
  return {
    description: store.description,
    abilities: store.abilities,
    put: (key, body, options) => run('put', () => store.put(key, body, options)),
    get: (key, options) => run('get', () => store.get(key, options)),
    stat: (key, options) => run('stat', () => store.stat(key, options)),
    delete: (keys, options) => run('delete', () => store.delete(keys, options)),
    list: async function* (prefix, options) {
      const entries = store.list(prefix, options)[Symbol.asyncIterator]();
      for (let next = await run('list', () => entries.next()); !next.done; next = await run('list', () => entries.next())) {
        yield next.value;
      }
    },
    close: () => store.close(),
  };
}
