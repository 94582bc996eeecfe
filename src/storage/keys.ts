import { storeFault } from './faults.ts';

const maxKeyLength = 512;
// 255 is what the usual file systems take as one name.
const part = /^(?!\.{1,2}$)[A-Za-z0-9._~=@-]{1,255}$/;

/** Whether the text is a key as `object-store.ts` defines it. */
export function isKey(text: string): boolean {
  return text.length <= maxKeyLength && text.split('/').every((piece) => part.test(piece));
}

/** @throws {Fault} `storage.bad_key` */
export function checkKey(key: string): void {
  if (!isKey(key)) throw badKey('key', key);
}

/**
 * A prefix is the beginning of some key, and may end anywhere in it.
 * @throws {Fault} `storage.bad_key`
 */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return;
  const folders = prefix.split('/');
  const last = folders.pop() ?? '';
  const lastIsFine = last === '' || /^[A-Za-z0-9._~=@-]{1,255}$/.test(last);
  const fine = lastIsFine && prefix.length <= maxKeyLength && folders.every((piece) => part.test(piece));
  if (!fine) throw badKey('prefix', prefix);
}

function badKey(what: 'key' | 'prefix', text: string): Error {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return storeFault('storage.bad_key', `${shown} cannot be a ${what} in a bank.`, {
    help: 'Keys are parts of letters, digits and . _ ~ = @ - joined by slashes, at most 512 characters, 255 a part.',
  });
}
