import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { LoadOrder, LoadReport } from './api-load.ts';
import { runQuietly } from './measure.ts';

const must = 0.12;
const aim = 0.25;
const connections = 50;
const pageSize = 20;

export interface RateOptions {
  /** Of the service, without a slash at the end; it runs in `noauth` and allows any number of plans. */
  readonly url: string;
  /** For the answers that the bare route gives. */
  readonly folder: string;
  readonly pairs: number;
  readonly seconds: number;
}

/**
 * Requests per second of a page of plans and of the creation of one, each in turn with a bare Fastify route that gives the
 * same answer: on a machine that does other things too, only what ran in turn can be compared.
 */
export async function printRates({ url, folder, pairs, seconds }: RateOptions): Promise<void> {
  const project = `${url}/v1/bench`;
  const headers = { 'x-auth-token': 'bench:bench', 'content-type': 'application/json' };
  const ask = async <Answer>(method: string, path: string, body?: string): Promise<Answer> => {
    const response = await fetch(project + path, { method, headers, ...(body !== undefined && { body }) });
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  const { providers } = await ask<{ providers: { id: string }[] }>('GET', '/providers');
  const body = JSON.stringify({
    plan: {
      name: 'nightly db',
      description: 'database volumes',
      provider_id: providers[0]?.id,
      resources: [{ id: '7f8a2b14-90c3-4d77-8f2e-3b6d1a55c9e0', type: 'Host::Directory', name: 'db-data' }],
      parameters: { 'Host::Directory': { exclude: '*.tmp' } },
    },
  });
  const plan = await ask<object>('POST', '/plans', body);
  for (let made = 1; made < 3 * pageSize; made += 1) await ask('POST', '/plans', body);
  const list = await ask<object>('GET', `/plans?limit=${pageSize}`);

  const answers = join(folder, 'answers.json');
  writeFileSync(answers, JSON.stringify({ list, plan }));
  const bare = spawn(process.execPath, [join(import.meta.dirname, 'api-bare.ts'), answers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [bareUrl] = (await once(createInterface(bare.stdout), 'line')) as [string];
    const kinds = [
      { name: `a page of ${pageSize} plans`, method: 'GET', path: `/plans?limit=${pageSize}`, judged: true },
      { name: 'a plan is created', method: 'POST', path: '/plans', body, judged: false },
    ] as const;
    process.stdout.write(`\nRequests per second, ${connections} connections, ${seconds} s each, in turn\n`);
    for (const { name, judged, path, ...order } of kinds) {
      const rate = async (base: string): Promise<number> => {
        const report = await runLoad({ ...order, url: base + path, headers, connections, seconds });
        return report.perSecond;
      };
      await rate(project);
      await rate(bareUrl);
      const ratios: number[] = [];
      for (let pair = 1; pair <= pairs; pair += 1) {
        const [ours, theirs] = [await rate(project), await rate(bareUrl)];
        ratios.push(ours / theirs);
        const figures = `karri ${ours.toFixed(0).padStart(6)}   bare route ${theirs.toFixed(0).padStart(6)}`;
        process.stdout.write(`  ${name.padEnd(20)} ${figures}   ratio ${(ours / theirs).toFixed(3)}\n`);
      }
      const ratio = median(ratios);
      const verdict = judged
        ? `; ${ratio >= must ? 'meets' : 'MISSES'} the must of ${must}, ${ratio >= aim ? 'meets' : 'misses'} the aim of ${aim}`
        : '';
      process.stdout.write(`  ${name.padEnd(20)} median ratio ${ratio.toFixed(3)}${verdict}\n`);
    }
  } finally {
    bare.kill();
  }
}

async function runLoad(order: LoadOrder): Promise<LoadReport> {
  const args = [join(import.meta.dirname, 'api-load.ts'), JSON.stringify(order)];
  return JSON.parse(await runQuietly({ program: process.execPath, args })) as LoadReport;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}
