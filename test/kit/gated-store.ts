import type { ObjectStore } from '../../src/storage/object-store.ts';

/** The store with something asked before every call (a throw is the call's), and left open when it is closed. */
export function createGatedStore(store: ObjectStore, before: () => Promise<void> = () => Promise.resolve()): ObjectStore {
  const gated =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await before();
      return call(...args);
    };
  return {
    description: store.description,
    abilities: store.abilities,
    put: gated((...args: Parameters<ObjectStore['put']>) => store.put(...args)),
    get: gated((...args: Parameters<ObjectStore['get']>) => store.get(...args)),
    stat: gated((...args: Parameters<ObjectStore['stat']>) => store.stat(...args)),
    delete: gated((...args: Parameters<ObjectStore['delete']>) => store.delete(...args)),
    async *list(...args) {
      await before();
      yield* store.list(...args);
    },
    close: () => Promise.resolve(),
  };
}
