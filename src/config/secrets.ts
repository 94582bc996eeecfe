import { createHash, scrypt } from 'node:crypto';
import { statSync } from 'node:fs';
import { Fault } from '../base/faults.ts';

/** @throws forbidden `config.open_secret` when anybody but the owner may read the file */
export function refuseOpenSecret(file: string): void {
  if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return;
  throw new Fault('forbidden', 'config.open_secret', `${file} holds a secret and may be read by other users.`, {
    details: { file },
    help: `Close it: chmod 600 ${file}`,
  });
}

/** A URL with its password hidden. */
export function maskUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return '***';
  if (parsed.password !== '') parsed.password = '***';
  for (const name of parsed.searchParams.keys()) if (/pass|key|secret|token/i.test(name)) parsed.searchParams.set(name, '***');
  return parsed.href;
}

/**
 * The provider key that a passphrase stands for: scrypt with N = 2^17, r = 8, p = 1 (128 MiB, about a third of a second),
 * 32 bytes; the salt is SHA-256 of `karri provider key\n` and the provider's id, so that every cloud with the same file
 * and passphrase has the same key. None of this may change: banks depend on it.
 */
export function deriveKey(passphrase: string, providerId: string): Promise<Buffer> {
  const salt = createHash('sha256').update(`karri provider key\n${providerId}`).digest();
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 }, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
