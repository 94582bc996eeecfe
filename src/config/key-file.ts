import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Fault } from '../base/faults.ts';
import { refuseOpenSecret } from './secrets.ts';

/**
 * The 32 bytes of a key file: one line of 64 hex digits, as `karri provider init` writes it.
 * @throws invalid `config.bad_key`; forbidden `config.open_secret`
 */
export function readKeyFile(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw badKey(file, 'cannot be read', cause);
  }
  refuseOpenSecret(file);
  if (!/^[0-9a-f]{64}$/i.test(text)) throw badKey(file, 'does not hold one line of 64 hex digits');
  return Buffer.from(text, 'hex');
}

/** A fresh random key in a file of its own, on the disk when this returns; nothing is ever overwritten. */
export function createKeyFile(file: string): Buffer {
  const key = randomBytes(32);
  try {
    writeFileSync(file, `${key.toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  } catch (cause) {
    throw badKey(file, 'cannot be written', cause);
  }
  return key;
}

function badKey(file: string, why: string, cause?: unknown): Fault {
  return new Fault('invalid', 'config.bad_key', `The key file ${file} ${why}.`, {
    details: { file },
    help: 'Name the file the repository was made with; a new one is made by `karri backup --init`.',
    ...(cause !== undefined && { cause }),
  });
}
