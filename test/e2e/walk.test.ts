import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { readSource } from '../kit/source-tree.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'karri-walk-'));
let karri: KarriProcess;

beforeAll(async () => {
  karri = await createKarriProcess({ stateDir: join(dir, 'var') });
  await karri.start();
});

afterAll(async () => {
  await karri.dispose();
  rmSync(dir, { recursive: true });
});

test('the walk of the README does what it says, word for word', async () => {
  const walk = /<!-- walk -->\n```bash\n([\s\S]*?)```/.exec(readSource('README.md'))?.[1] ?? '';
  expect(walk).toContain('/restores');
  const script = walk.replace('http://127.0.0.1:8799', karri.url);
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: dir, timeout: 60_000 });
  expect(stdout).toContain('"available"');
  expect(stdout).toContain('"success"');
  expect(stdout.trimEnd()).toMatch(/first thoughts$/);
});

test('/healthz, /readyz, the document and its page answer without a token', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs']) {
    expect([path, (await fetch(karri.url + path)).status]).toEqual([path, 200]);
  }
});

test('a stop in good order ends with 0, and the next start finds everything', async () => {
  await karri.stop();
  await karri.start();
  const response = await fetch(`${karri.url}/v1/demo/plans`, { headers: { 'x-auth-token': 'me:demo' } });
  expect(await response.json()).toMatchObject({ plans: [{ name: 'my notes' }] });
});
