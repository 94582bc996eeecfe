import { forgottenPrefix } from '../layout.ts';
import { GcView, type GcViewOptions } from './view.ts';

/**
 * Whether one more garbage collection would go on with something: a snapshot was forgotten, or the newest run left packs that nothing needed. Costs two small lists and
 * the newest records; no index is read. Looks with eyes of its own, so that no writer takes what is seen here for learned.
 */
export async function hasGarbage(options: GcViewOptions): Promise<boolean> {
  for await (const _ of options.store.list(forgottenPrefix)) return true;
  const view = new GcView(options);
  await view.learn(undefined);
  return view.newest.some(
    ({ suspects, quarantined, deleting }) => suspects.length > 0 || quarantined.size > 0 || deleting.length > 0,
  );
}
