import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient as generateHeyApi } from '@hey-api/openapi-ts';
import openapiTS, { astToString } from 'openapi-typescript';
import { generate as generateOrval } from 'orval';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documentFile } from '../../openapi/write.ts';
import { clientFile, renderClient } from '../../openapi/write-client.ts';
import { createClient } from '../../src/client/client.ts';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { absolutePath } from '../kit/source-tree.ts';
import type { Ended, Task } from './clients/task.ts';

const run = promisify(execFile);
const drivers = fileURLToPath(new URL('clients', import.meta.url));
const document = fileURLToPath(documentFile);
const names = ['openapi-fetch', 'hey-api', 'orval', 'karri-client'] as const;

test('karri/client is what the document says: `npm run client:write` makes it so', async () => {
  expect(readFileSync(clientFile, 'utf8')).toBe(await renderClient());
});

/** Each is made from the document and nothing else, checked as strictly as TypeScript can, and then does the main job. */
describe('a client that is generated from the document', () => {
  const dir = mkdtempSync(join(tmpdir(), 'karri-clients-'));
  const volumes = join(dir, 'var', 'volumes');
  let karri: KarriProcess;
  let task: Omit<Task, 'restoreName'>;

  beforeAll(async () => {
    mkdirSync(join(volumes, 'notes'), { recursive: true });
    writeFileSync(join(volumes, 'notes', 'today.txt'), 'first thoughts\n');
    karri = await createKarriProcess({ stateDir: join(dir, 'var') });
    await karri.start();
    const call = createClient({ url: karri.url, projectId: 'demo', token: 'me:demo' });
    const { providers } = await call.listProviders();
    const { instances } = await call.listProtectableInstances({ path: { protectable_type: 'Host::Directory' } });
    task = { url: karri.url, token: 'me:demo', projectId: 'demo', providerId: providers[0]!.id, volumeId: instances[0]!.id };
    await generate(dir, karri.url);
  }, 120_000);

  afterAll(async () => {
    await karri.dispose();
    rmSync(dir, { recursive: true });
  });

  test('compiles under strict TypeScript, declarations of packages included; what is wrong does not', () => {
    const wrong = join(dir, 'wrong.ts');
    const text = readFileSync(join(dir, 'karri-client.ts'), 'utf8');
    writeFileSync(wrong, text.replace('plan_id: plan.id', 'plan: plan.id').replace('restore.status }', 'restore.state }'));
    const errors = findTypeErrors([...names.map((name) => join(dir, `${name}.ts`)), wrong]);
    expect(errors.filter(({ file }) => file !== wrong)).toEqual([]);
    expect(errors.map(({ message }) => message).join(' ')).toMatch(/'plan' does not exist.*'state' does not exist/);
  });

  test.each(names)('%s: plan, checkpoint, restore', async (name) => {
    const restoreName = `by-${name}`;
    const program = `import { drive } from './${name}.ts'; console.log(JSON.stringify(await drive(JSON.parse(process.argv[1]))));`;
    const words = ['--input-type=module', '-e', program, JSON.stringify({ ...task, restoreName })];
    const { stdout } = await run(process.execPath, words, { cwd: dir, timeout: 60_000 });
    expect(JSON.parse(stdout) as Ended).toEqual({ checkpoint: 'available', restore: 'success' });
    expect(readFileSync(join(volumes, restoreName, 'today.txt'), 'utf8')).toBe('first thoughts\n');
  });
});

async function generate(dir: string, url: string): Promise<void> {
  const generated = join(dir, 'generated');
  mkdirSync(generated);
  mkdirSync(join(dir, 'node_modules'));
  symlinkSync(absolutePath('.'), join(dir, 'node_modules', 'karri'));
  symlinkSync(absolutePath('node_modules/openapi-fetch'), join(dir, 'node_modules', 'openapi-fetch'));
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  for (const file of readdirSync(drivers)) cpSync(join(drivers, file), join(dir, file.replace(/\.txt$/, '')));
  writeFileSync(join(generated, 'openapi-typescript.ts'), astToString(await openapiTS(documentFile)));
  await generateHeyApi({
    input: document,
    output: { path: join(generated, 'hey-api'), module: { extension: '.ts' } },
    plugins: ['@hey-api/client-fetch'],
    logs: { level: 'silent' },
  });
  const target = join(generated, 'orval.ts');
  await generateOrval({ input: { target: document }, output: { target, client: 'fetch', mode: 'single', baseUrl: url } }, dir);
}

/** `exactOptionalPropertyTypes` is left out: what Hey API generates does not keep it. `karri/client` is held to it by `npm run check`. */
function findTypeErrors(files: readonly string[]): { file: string | undefined; message: string }[] {
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    skipLibCheck: false,
    types: [],
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => ({ file: file?.fileName, message: ts.flattenDiagnosticMessageText(messageText, '\n') }));
}
