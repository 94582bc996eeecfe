import type { ObjectStore } from '../../storage/object-store.ts';
import * as laws from './bank-laws.ts';
import type { Law } from './law.ts';

export interface BankLawOptions {
  /** How many objects the listing laws write; more than 1000 makes an S3 store answer in pages. Default 1010. */
  readonly objects?: number;
}

/**
 * The laws of `storage/object-store.ts`, each under its own folder of the bank, which is emptied afterwards.
 * `open` is called once per law.
 */
export function bankConformance(open: () => Promise<ObjectStore>, options: BankLawOptions = {}): readonly Law[] {
  const objects = options.objects ?? 1010;
  const law = (name: string, body: (bank: laws.Bank) => Promise<string | undefined>): Law => ({
    name,
    run: async () => {
      const store = await open();
      try {
        return await laws.inScratch(store, body);
      } finally {
        await store.close();
      }
    },
  });
  return [
    law('what was put is read at once, in full', laws.readAfterWrite),
    law('what was put is listed at once', laws.listAfterWrite),
    law('the same bytes may be put again under the same key', laws.putAgain),
    law('an empty body is an object', laws.emptyBody),
    law('a body of several parts is joined', laws.arrayBody),
    law('a body of 17 MiB comes back equal', laws.bigBody),
    law('ranges give exactly the bytes asked for', laws.ranges),
    law('a range beyond the end is the fault storage.short', laws.rangePastEnd),
    law('a missing object is the fault storage.missing', laws.missing),
    law('stat tells the size, and undefined where there is nothing', laws.stat),
    law('an object above maxBytes is the fault storage.too_large', laws.tooLarge),
    law(`a listing of ${objects} objects is complete and in the order of bytes`, (bank) => laws.listPages(bank, objects)),
    law('a listing starts after startAfter', laws.startAfter),
    law('a prefix may end anywhere in a key', laws.prefixes),
    law('folders and files are listed in the order of their full keys', laws.listOrder),
    law('deleting takes away what is there and forgives what is not', laws.deleting),
    law('many keys are deleted in one call', (bank) => laws.deleteMany(bank, objects)),
    law('of 20 who put with ifAbsent at once, one wins', laws.ifAbsentRace),
    law('every character of the alphabet works in a key', laws.oddKeys),
    law('what is no key is refused', laws.badKeys),
    law('a call whose signal has aborted ends as cancelled', laws.aborted),
    law('a put that is aborted leaves the whole object or none', laws.abortedPut),
  ];
}
