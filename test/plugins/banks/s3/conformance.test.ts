import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { bankConformance } from '../../../../src/plugin/conformance/bank.ts';
import { openTestS3 } from '../../../kit/banks.ts';
import { testLaws } from '../../../kit/laws.ts';
import { startS3Server } from '../../../kit/s3-server.ts';

const folder = await mkdtemp(join(tmpdir(), 'karri-s3-'));
const plain = await startS3Server();
const poor = await startS3Server({ folder, conditionalPut: false, multiDelete: false });
afterAll(async () => {
  await plain.close();
  await poor.close();
  await rm(folder, { recursive: true });
});

testLaws(
  'the S3 bank keeps the laws of a bank',
  bankConformance(() => openTestS3(plain, { prefix: 'banks/one' })),
);
testLaws(
  'the S3 bank keeps them where conditional put and multi-delete are missing and bodies must be signed',
  bankConformance(() => openTestS3(poor, { payload_signing: 'signed' }), { objects: 40 }),
);
