import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/app/cli/run.ts';
import { createKarriProcess, type KarriProcess } from '../kit/karri-process.ts';
import { findObstacle } from '../kit/real-server.ts';

const run = promisify(execFile);
const here = import.meta.dirname;
const keystonePort = 25_580;

type Variables = Readonly<Record<string, string>>;

/** How the service knows callers, and what a client has to say. */
interface World {
  readonly settings: Variables;
  /** Asked once, when the service runs; `OS_…` is for those that log in themselves. */
  login(karri: KarriProcess, settings: Variables): Promise<{ project: string; token: string; openrc?: Variables }>;
  stop?(): Promise<void>;
}

interface Trial {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'broken';
  readonly reason: string;
}

const noauth: World = { settings: { KARRI_AUTH: 'noauth' }, login: async () => ({ project: 'demo', token: 'me:demo' }) };

const token: World = {
  settings: { KARRI_AUTH: 'token' },
  async login(_karri, settings) {
    const project = '5b0a7c21e9d84f3f8a6be2c4d1907f36';
    const printed = await runKarri(settings, 'token', 'create', '--user', 'me', '--project', project, '--role', 'admin');
    return { project, token: /\bkarri_\S+/.exec(printed)?.[0] ?? printed.trim() };
  },
};

/** The bootstrapped administrator, of the project that came with Keystone; the service asks with each token itself. */
async function startKeystone(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'karri-clients-keystone-'));
  const script = join(here, 'keystone.sh');
  const { stdout } = await run('bash', [script, 'start', folder, String(keystonePort)], { timeout: 300_000 });
  const openrc = Object.fromEntries(
    [...stdout.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const url = `http://127.0.0.1:${keystonePort}/v3`;
  return {
    settings: { KARRI_AUTH: 'keystone', KARRI_KEYSTONE_URL: url, KARRI_KEYSTONE_TIMEOUT_SECONDS: '60' },
    async login(karri, settings) {
      await runKarri({ ...settings, ...openrc }, 'keystone', 'register', '--url', karri.url);
      const { stdout: issued } = await run('/usr/bin/openstack', ['token', 'issue', '-f', 'json'], {
        env: { PATH: '/usr/bin:/bin', ...openrc },
        timeout: 120_000,
      });
      const { id, project_id: project } = JSON.parse(issued) as { id: string; project_id: string };
      return { project, token: id, openrc };
    },
    async stop() {
      await run('bash', [script, 'stop', folder]);
      await rm(folder, { recursive: true });
    },
  };
}

async function runKarri(environment: Variables, ...args: string[]): Promise<string> {
  let written = '';
  const out = { write: (text: string) => (written += text) };
  const code = await runCommand(args, { out, err: out, environment: { ...environment } });
  expect(code, written).toBe(0);
  return written;
}

const [clients, keystone] = [await findObstacle(join(here, 'clients.sh')), await findObstacle(join(here, 'keystone.sh'))];
for (const auth of ['noauth', 'token', 'keystone']) {
  const obstacle = clients ?? (auth === 'keystone' ? keystone : undefined);
  if (obstacle === undefined) describe(`Debian's clients, ${auth}`, () => testClients(auth));
  else test.skip(`Debian's clients, ${auth}: ${obstacle}`, () => undefined);
}

function testClients(auth: string): void {
  let folder: string;
  let world: World;
  let karri: KarriProcess;
  let variables: Variables;
  let openrc: Variables | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'karri-clients-'));
    world = auth === 'noauth' ? noauth : auth === 'token' ? token : await startKeystone();
    const stateDir = join(folder, 'karri');
    await mkdir(join(stateDir, 'volumes', 'notes'), { recursive: true });
    await writeFile(join(stateDir, 'volumes', 'notes', 'today.txt'), 'first thoughts\n');
    karri = await createKarriProcess({ stateDir, settings: world.settings });
    await karri.start();
    const login = await world.login(karri, { ...world.settings, KARRI_STATE_DIR: stateDir });
    openrc = login.openrc;
    variables = {
      // Debian's own programs and modules, whatever else is installed; nothing is left beside the sources.
      PATH: '/usr/bin:/bin',
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONWARNINGS: 'ignore',
      KARRI_ENDPOINT: `${karri.url}/v1/${login.project}`,
      KARRI_PROJECT: login.project,
      KARRI_TOKEN: login.token,
      KARRI_AUTH: auth,
    };
  });
  afterAll(async () => {
    await karri?.dispose();
    await world?.stop?.();
    await rm(folder, { recursive: true });
  });

  /** Every trial of a file, as a table on standard output; the file itself has to end in good order. */
  const tryAll = async (file: string, more: Variables = {}, ...args: string[]): Promise<void> => {
    const options = { env: { ...variables, ...more }, timeout: 280_000, maxBuffer: 16 * 1024 * 1024 };
    const { stdout, stderr, code } = await run('/usr/bin/python3', [join(here, file), ...args], options).then(
      (ended) => ({ ...ended, code: 0 }),
      (error: { stdout: string; stderr: string; code: number | null }) => error,
    );
    const trials = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Trial);
    const count = (outcome: Trial['outcome']) => trials.filter((trial) => trial.outcome === outcome).length;
    const lines = trials.map(({ outcome, name, reason }) => `  ${outcome.padEnd(6)}  ${name}${reason && `: ${reason}`}`);
    const summary = `${count('passed')} passed, ${count('failed')} failed, ${count('broken')} broken in the client itself`;
    process.stdout.write(`\n${auth}, ${file} ${args.join(' ')}\n${lines.join('\n')}\n  ${summary}\n`);
    expect(trials.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect([code, trials.at(-1)?.name], stderr).toEqual([0, expect.stringContaining('(every ')]);
  };

  test('every call of the library, over its own transport', async () => {
    await tryAll('clients_library.py', {}, 'plain');
  });

  test("every call of the library, over keystoneauth's", async () => {
    await tryAll('clients_library.py', openrc, openrc === undefined ? 'session' : 'catalogue');
  });

  test('every command of OpenStackClient', async () => {
    await tryAll('clients_osc.py', openrc);
  });

  test('every command of the old shell', async () => {
    await tryAll('clients_shell.py');
  });

  test('the program itself, as a user starts it', async () => {
    const byToken = ['--os-auth-type', 'admin_token', '--os-endpoint', variables['KARRI_ENDPOINT'] ?? ''];
    const login = openrc === undefined ? [...byToken, '--os-token', variables['KARRI_TOKEN'] ?? ''] : [];
    const args = [...login, 'data', 'protection', 'provider', 'list', '-f', 'value', '-c', 'Name'];
    const { stdout } = await run('/usr/bin/openstack', args, { env: { ...variables, ...openrc }, timeout: 120_000 });
    expect(stdout.trim()).toBe('default');
  });
}
