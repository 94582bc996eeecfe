import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectLockConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFault } from '../../src/base/faults.ts';
import { silentLog } from '../../src/base/log.ts';
import { bankConformance } from '../../src/plugin/conformance/bank.ts';
import { formatBankReport, probeBank } from '../../src/plugin/conformance/bank-probe.ts';
import { createRetryingStore } from '../../src/storage/retrying.ts';
import { openTestS3 } from '../kit/banks.ts';
import { testLaws } from '../kit/laws.ts';
import { findObstacle, type RealServer, startRealServer } from '../kit/real-server.ts';

await testRealBank({ name: 'Ceph RadosGW', script: 'ceph-rgw.sh', port: 27480, conditionalPut: 'yes', objectLock: true });
await testRealBank({
  name: "OpenStack Swift's s3api",
  script: 'swift-s3.sh',
  port: 28480,
  conditionalPut: 'no',
  objectLock: false,
});

interface RealBank {
  readonly name: string;
  readonly script: string;
  readonly port: number;
  readonly conditionalPut: 'yes' | 'no';
  readonly objectLock: boolean;
}

async function testRealBank({ name, script, port, conditionalPut, objectLock }: RealBank): Promise<void> {
  const path = join(import.meta.dirname, script);
  const obstacle = await findObstacle(path);
  if (obstacle !== undefined) {
    test.skip(`${name}: ${obstacle}`, () => undefined);
    return;
  }
  describe(name, () => {
    let folder: string;
    let server: RealServer;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'karri-real-'));
      server = await startRealServer(path, folder, port);
    });
    afterAll(async () => {
      await server?.stop();
      await rm(folder, { recursive: true });
    });

    testLaws(
      'keeps the laws of a bank',
      bankConformance(() => openTestS3(server, { prefix: 'bank' })),
      120_000,
    );
    testLaws(
      'keeps them with signed bodies, at the root of the bucket',
      bankConformance(() => openTestS3(server, { payload_signing: 'signed' }), { objects: 30 }),
      120_000,
    );

    test('is probed, and the report is true', async () => {
      const store = await openTestS3(server);
      const report = await probeBank(store);
      const left: string[] = [];
      for await (const { key } of store.list('')) left.push(key);
      await store.close();
      process.stdout.write(`\n${name}\n${formatBankReport(report)}\n`);
      expect(report.fit).toBe(true);
      expect(report.findings.find((finding) => finding.name.startsWith('conditional put'))?.outcome).toBe(conditionalPut);
      expect(left).toEqual([]);
    });

    const lockLaw = 'works in a bucket in which every object is locked when it is written';
    test.skipIf(!objectLock)(objectLock ? lockLaw : `${lockLaw}: this server has no object lock`, async () => {
      const client = new S3Client({
        endpoint: server.endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: server.credentials.accessKey, secretAccessKey: server.credentials.secretKey },
      });
      const Rule = { DefaultRetention: { Mode: 'COMPLIANCE', Days: 1 } } as const;
      await client.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
      await client.send(
        new PutObjectLockConfigurationCommand({
          Bucket: 'locked',
          ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
        }),
      );
      client.destroy();
      const store = await openTestS3(server, { bucket: 'locked', create_bucket: false });
      const report = await probeBank(store);
      await store.close();
      process.stdout.write(`\n${name}, object lock\n${formatBankReport(report)}\n`);
      expect(report.fit).toBe(true);
      expect(report.findings.find((finding) => finding.name === 'object lock')).toMatchObject({
        outcome: 'yes',
        seen: 'every object is locked (COMPLIANCE) for 1 days',
      });
    });

    test('says what is wrong with keys and bucket', async () => {
      const wrongSecret = { ...server, credentials: { ...server.credentials, secretKey: 'wrong' } };
      const wrongKey = { ...server, credentials: { ...server.credentials, accessKey: 'nobody:nobody' } };
      await expect(openTestS3(wrongSecret)).rejects.toSatisfy(
        (error) => isFault(error, 'storage.refused') && /403/.test(error.message),
      );
      await expect(openTestS3(wrongKey)).rejects.toSatisfy(
        (error) => isFault(error, 'storage.refused') && /403/.test(error.message),
      );
      await expect(openTestS3(server, { bucket: 'not-there', create_bucket: false })).rejects.toSatisfy((error) =>
        isFault(error, 'storage.no_bank'),
      );
    });

    test('is waited for while it is stopped and started again', async () => {
      const store = createRetryingStore(await openTestS3(server), {
        log: silentLog,
        attempts: 200,
        firstDelayMs: 200,
        maxDelayMs: 1000,
      });
      await store.put('before', Buffer.from('kept'));
      await server.stop();
      const [read] = await Promise.all([
        store.get('before'),
        startRealServer(path, folder, port).then((again) => {
          server = again;
        }),
      ]);
      expect(read.toString()).toBe('kept');
      await store.delete(['before']);
      await store.close();
    }, 300_000);
  });
}
