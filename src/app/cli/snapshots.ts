import { formatBytes } from '../../base/bytes.ts';
import { isoTime } from '../../base/clock.ts';
import { isFault } from '../../base/faults.ts';
import { type Command, parse } from './command.ts';
import { bankOptions, bankUsage, withLocalRepository } from './local-repository.ts';

export const snapshots: Command = {
  usage: `snapshots ${bankUsage}`,
  summary: 'list what `karri backup` has put into a bank, oldest first',
  async run(args, streams) {
    const { values } = parse(args, bankOptions);
    return withLocalRepository(values, streams, { init: false }, async ({ repository, getSnapshot }) => {
      let damaged = 0;
      const found = await Promise.all(
        (await repository.listSnapshots()).map((id) =>
          getSnapshot(id).catch((error: unknown) => {
            if (isFault(error, 'repository.snapshot_absent')) return undefined; // forgotten since it was listed
            if (!isFault(error) || error.kind !== 'corrupt') throw error;
            damaged++;
            streams.err.write(`karri: ${error.message}\n`);
            return undefined;
          }),
        ),
      );
      const records = found.filter((record) => record !== undefined);
      records.sort((a, b) => a.createdAtMs - b.createdAtMs);
      const rows = records.map(({ id, createdAtMs, kind, subject, sizeBytes, storedBytes }) => ({
        id,
        created_at: isoTime(createdAtMs),
        kind,
        path: subject.replace(/^path:/, ''),
        size_bytes: sizeBytes,
        stored_bytes: storedBytes,
      }));
      if (values.json) streams.out.write(`${JSON.stringify(rows, null, 2)}\n`);
      else {
        for (const { id, created_at, kind, size_bytes, stored_bytes, path } of rows) {
          const figures = `${formatBytes(size_bytes).padStart(9)}, stored ${formatBytes(stored_bytes).padStart(9)}`;
          streams.out.write(`${id}  ${created_at}  ${kind.padEnd(6)}  ${figures}  ${path}\n`);
        }
        if (found.length === 0) streams.err.write('There are no snapshots.\n');
      }
      return damaged === 0 ? 0 : 1;
    });
  },
};
