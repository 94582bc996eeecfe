import { writeFile } from 'node:fs/promises';
import { buildDocument } from '../src/api/document.ts';
import { createNoauthIdentity } from '../src/api/identity/noauth.ts';
import { createServer } from '../src/api/server.ts';
import { silentLog } from '../src/base/log.ts';
import type { Operations } from '../src/operations/contract.ts';
import type { Protection } from '../src/protection/contract.ts';

export const documentFile = new URL('openapi.json', import.meta.url);

/** The document as it is checked in. No request is served, so nothing has to stand behind the routes. */
export async function renderDocument(): Promise<string> {
  const app = await createServer({
    protection: {} as Protection,
    operations: {} as Operations,
    identity: createNoauthIdentity(),
    log: silentLog,
    readiness: async () => ({ ready: false, checks: {} }),
  });
  await app.ready();
  const document = buildDocument(app);
  await app.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}

if (import.meta.main) await writeFile(documentFile, await renderDocument());
