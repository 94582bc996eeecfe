import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openFilesystemStore } from '../../../../plugins/banks/filesystem/filesystem-store.ts';
import { bankConformance } from '../../../../src/plugin/conformance/bank.ts';
import { testLaws } from '../../../kit/laws.ts';

const folder = await mkdtemp(join(tmpdir(), 'karri-bank-'));
afterAll(() => rm(folder, { recursive: true }));

testLaws(
  'the filesystem bank keeps the laws of a bank',
  bankConformance(() => openFilesystemStore(join(folder, 'bank'))),
);
