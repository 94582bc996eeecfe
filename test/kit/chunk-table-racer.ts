import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkTable, type TableView } from '../../src/repository/index/chunk-table.ts';

/** A thread that claims the same chunks as its rivals, releases some, and says which ones it was given and placed. */
const { view, count, pack } = workerData as { view: TableView; count: number; pack: number };
const table = new ChunkTable(view);
const won: number[] = [];
for (let n = 0; n < count; n++) {
  const claim = table.claim(createHash('sha256').update(String(n)).digest());
  if (claim === undefined) continue;
  if (n % 7 === pack) {
    table.release(claim); // its storing failed: a rival may take it, or nobody
    continue;
  }
  table.place(claim, { pack, blockOffset: n, blockLength: n, rawLength: n, chunkOffset: n, chunkLength: n });
  won.push(n);
}
parentPort?.postMessage(won);
