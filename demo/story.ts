import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Noun } from 'karri/client';
import { systemClock } from '../src/base/clock.ts';
import { digestImage, sameBytes, sameDigests } from '../test/kit/digests.ts';
import { findFreePort } from '../test/kit/karri-process.ts';
import { type Cloud, createCloud, createSharedProvider } from './cloud.ts';
import { allocatedBytes, changeDiskImage, createDiskImage, type DiskImage } from './disk-image.ts';
import { changeLedger, createLedger, type LedgerState, readLedger } from './ledger.ts';
import { readMountedFiles, unmount } from './mounted-image.ts';
import { type Figures, keyOf, type Protected, protect, restore } from './moves.ts';
import { initDatabase, startDatabase, stopDatabase } from './postgres-server.ts';
import { bytes, say, seconds, table, title, verdict } from './screen.ts';

const rowCount = 100_000;
const imageBytes = 1024 ** 3;

/** What cloud 1 held when a checkpoint was made: what a restore is compared with. */
interface Truth {
  readonly ledger: LedgerState;
  readonly imageDigest: string;
  readonly image: DiskImage;
}

interface Crossing {
  readonly label: string;
  readonly made: Protected;
  readonly restored: Figures;
  readonly equal: { readonly database: boolean; readonly disk: boolean };
}

/** The whole story in `dir`; whatever it starts is stopped by `house`. True when everything that was compared was equal. */
export async function tellStory(dir: string, house: AsyncDisposableStack): Promise<boolean> {
  const began = systemClock.monotonic();

  title('1  Two clouds that share a bank and a key, nothing else');
  const providersDir = await createSharedProvider(dir);
  const databasePort = await findFreePort();
  const cloud1Dir = join(dir, 'cloud-1');
  const databaseDir = join(cloud1Dir, 'volumes', 'database');
  const hook = (action: string): string[] => [
    process.execPath,
    fileURLToPath(new URL('database-hook.ts', import.meta.url)),
    action,
    databaseDir,
    String(databasePort),
  ];
  const cloud1 = await createCloud(cloud1Dir, providersDir, [
    { name: 'stop-database', command: hook('stop') },
    { name: 'start-database', command: hook('start') },
  ]);
  const cloud2 = await createCloud(join(dir, 'cloud-2'), providersDir, []);
  // Undone in reverse: the services end first, and whatever their hooks have started after them.
  house.defer(() => stopDatabase(databaseDir));
  house.defer(() => cloud1.karri.dispose());
  house.defer(() => cloud2.karri.dispose());
  const mountPoint = join(dir, 'mounted');
  house.defer(() => unmount(mountPoint));
  await cloud1.karri.start();
  say(`cloud 1 runs at ${cloud1.karri.url}; cloud 2 has not been started yet`);

  title('2  Cloud 1 has a database and a disk');
  await initDatabase(databaseDir);
  await startDatabase(databaseDir, databasePort);
  await createLedger(databasePort, rowCount);
  say(`PostgreSQL with a table of ${rowCount} rows; now the disk is filled`);
  const contentDir = join(dir, 'disk-content');
  mkdirSync(contentDir);
  const image = await createDiskImage(join(cloud1.volumesDir, 'disk.img'), imageBytes, contentDir);
  const truth1 = await takeTruth(databasePort, image);
  say(`checksum over the rows: ${truth1.ledger.checksum}`);
  say(`${image.filesystem === 'ext4' ? 'ext4' : 'raw'} disk of ${bytes(imageBytes)}, ${bytes(allocatedBytes(image.path))} used`);

  title('3  A plan and its first checkpoint, over REST');
  const { plan, database, disk } = await makePlan(cloud1);
  const first = await protect(cloud1, plan);

  title('4  The data changes; the second checkpoint stores what differs');
  await changeLedger(databasePort, 2000, 500);
  const truth2 = await takeTruth(databasePort, await changeDiskImage(image, contentDir));
  say(`${truth2.ledger.rows} rows now, checksum ${truth2.ledger.checksum}; one more file on the disk`);
  const second = await protect(cloud1, plan);

  title('5  Cloud 2 starts with an empty database and restores the second checkpoint');
  await cloud2.karri.start();
  const { checkpoints: visible } = await cloud2.client.listCheckpoints({ path: { provider_id: plan.provider_id } });
  say(`at ${cloud2.karri.url} it finds ${visible.length} checkpoints in the bank: ${visible.map((one) => one.id).join(', ')}`);
  const restoreOn2 = (made: Protected, suffix: string): Promise<Figures> =>
    restore(cloud2, plan.provider_id, made.checkpoint, [
      { volume: database, restoreName: `database${suffix}` },
      { volume: disk, restoreName: `disk${suffix}.img` },
    ]);
  const restoredSecond = await restoreOn2(second, '');
  const databaseEqual = await compareDatabase(cloud2, 'database', truth2, house);
  const bytesEqual = sameBytes(image.path, join(cloud2.volumesDir, 'disk.img'));
  verdict('disk, byte for byte', bytesEqual);
  const diskEqual = bytesEqual && (await compareFiles(mountPoint, join(cloud2.volumesDir, 'disk.img'), truth2));

  title('6  Cloud 1 is deleted; cloud 2 restores the first checkpoint as well');
  await stopDatabase(databaseDir);
  await cloud1.karri.dispose();
  rmSync(cloud1.dir, { recursive: true });
  say('its service, database and volumes are gone');
  const restoredFirst = await restoreOn2(first, '-first');
  const firstDatabaseEqual = await compareDatabase(cloud2, 'database-first', truth1, house);
  const firstDigestEqual = digestImage(join(cloud2.volumesDir, 'disk-first.img')) === truth1.imageDigest;
  verdict('disk, digest of every byte', firstDigestEqual);
  const firstDiskEqual = firstDigestEqual && (await compareFiles(mountPoint, join(cloud2.volumesDir, 'disk-first.img'), truth1));

  const crossings: Crossing[] = [
    { label: 'first', made: first, restored: restoredFirst, equal: { database: firstDatabaseEqual, disk: firstDiskEqual } },
    { label: 'second', made: second, restored: restoredSecond, equal: { database: databaseEqual, disk: diskEqual } },
  ];
  return sumUp(crossings, database, disk, systemClock.monotonic() - began);
}

async function takeTruth(port: number, image: DiskImage): Promise<Truth> {
  return { ledger: await readLedger(port), imageDigest: digestImage(image.path), image };
}

/** Finds both volumes as any client would and makes a plan of them. */
async function makePlan(
  cloud: Cloud,
): Promise<{ plan: Noun<'Plan'>; database: Noun<'ProtectableInstance'>; disk: Noun<'ProtectableInstance'> }> {
  const { client } = cloud;
  const [provider] = (await client.listProviders()).providers;
  if (provider === undefined) throw new Error('Cloud 1 has no provider.');
  say(`protectable: ${(await client.listProtectableTypes()).protectable_type.join(', ')}`);
  const database = await getVolume(cloud, 'Host::Directory', 'database');
  const disk = await getVolume(cloud, 'Host::Block', 'disk.img');
  const { plan } = await client.createPlan({
    body: {
      plan: {
        name: 'ledger',
        description: 'the database and the disk beside it',
        provider_id: provider.id,
        resources: [database, disk].map(({ id, type, name }) => ({ id, type, name })),
        parameters: {},
        hooks: { pre: 'stop-database', post: 'start-database' },
      },
    },
  });
  say(`plan ${plan.id} with provider ${provider.name}; its hooks stop and start the database`);
  return { plan, database, disk };
}

async function getVolume(cloud: Cloud, type: string, name: string): Promise<Noun<'ProtectableInstance'>> {
  const { instances } = await cloud.client.listProtectableInstances({ path: { protectable_type: type } });
  const found = instances.find((one) => one.name === name);
  if (found === undefined) throw new Error(`There is no ${type} named ${name}.`);
  return found;
}

/** Starts a PostgreSQL on the restored directory and asks it for its rows. */
async function compareDatabase(cloud: Cloud, name: string, truth: Truth, house: AsyncDisposableStack): Promise<boolean> {
  const dir = join(cloud.volumesDir, name);
  const port = await findFreePort();
  house.defer(() => stopDatabase(dir));
  await startDatabase(dir, port);
  const ledger = await readLedger(port);
  await stopDatabase(dir);
  const equal = ledger.rows === truth.ledger.rows && ledger.checksum === truth.ledger.checksum;
  verdict(`database started on the restored directory: ${ledger.rows} rows, checksum ${ledger.checksum}`, equal);
  return equal;
}

async function compareFiles(mountPoint: string, imagePath: string, truth: Truth): Promise<boolean> {
  if (truth.image.filesystem === 'none') return true;
  const mounted = await readMountedFiles(imagePath, mountPoint);
  if ('refused' in mounted) {
    say(`- disk not mounted: ${mounted.refused}`);
    return true;
  }
  const equal = sameDigests(mounted.files, truth.image.files);
  verdict(`disk mounted read-only, ${mounted.files.size} files`, equal);
  return equal;
}

function sumUp(
  crossings: readonly Crossing[],
  database: Noun<'ProtectableInstance'>,
  disk: Noun<'ProtectableInstance'>,
  tookMs: number,
): boolean {
  title('What crossed');
  const rows = crossings.flatMap(({ label, made, restored, equal }) =>
    [
      { volume: database, same: equal.database },
      { volume: disk, same: equal.disk },
    ].map(({ volume, same }) => {
      const saved = made.figures.get(keyOf(volume));
      const back = restored.get(keyOf(volume));
      return [
        label,
        volume.name,
        bytes(saved?.sizeBytes ?? 0),
        bytes(saved?.storedBytes ?? 0),
        bytes(saved?.reusedBytes ?? 0),
        (saved?.seconds ?? 0).toFixed(1),
        (back?.seconds ?? 0).toFixed(1),
        same ? 'yes' : 'NO',
      ];
    }),
  );
  table(['checkpoint', 'volume', 'bytes', 'stored', 'reused', 'protect s', 'restore s', 'digest equal'], rows);
  const allEqual = crossings.every(({ equal }) => equal.database && equal.disk);
  say(`${allEqual ? 'Everything is equal' : 'SOMETHING DIFFERS'}, after ${seconds(tookMs)} seconds.`);
  say('');
  say('Start the service:  npm start           then http://127.0.0.1:8799');
  say('The API document:   openapi/openapi.json, or http://127.0.0.1:8799/docs');
  return allEqual;
}
