import { Fault } from '../../src/base/faults.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { ShownCheckpoint } from '../../src/model/checkpoint.ts';
import type { ContentsEntry } from '../../src/model/contents.ts';
import type { ContentsOf, ContentsService } from '../../src/protection/contract.ts';

/** What every resource of every checkpoint holds. */
export interface FakeContents extends ContentsService {
  entries: ContentsEntry[];
  /** Of every file, volume and archive; handed out a few at a time. */
  bytes: Buffer;
  /** Streams throw this instead of their next piece once so many bytes are out. */
  breakAt: { readonly bytes: number; readonly fault: Fault } | undefined;
  /** Streams wait for their signal once so many bytes are out. */
  hangAt: number | undefined;
  /** Of the last call. */
  seen: { of?: ContentsOf; path?: string; signal?: AbortSignal };
  /** Streams that were begun and have not ended. */
  open: number;
  reset(): void;
}

export const fakePieceBytes = 1000;

export function createFakeContents(
  getCheckpoint: (caller: Caller, provider: string, id: string) => ShownCheckpoint,
): FakeContents {
  const find = (caller: Caller, of: ContentsOf, path: string, signal: AbortSignal): void => {
    self.seen = { of, path, signal };
    const { resources } = getCheckpoint(caller, of.providerId, of.checkpointId);
    if (resources.some(({ id }) => id === of.resourceId)) return;
    throw new Fault('not-found', 'contents.unknown_resource', `The checkpoint holds no resource ${of.resourceId}.`);
  };

  async function* stream(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Buffer> {
    self.open++;
    try {
      for (let at = 0; at < bytes.length; at += fakePieceBytes) {
        if (self.breakAt && at >= self.breakAt.bytes) throw self.breakAt.fault;
        if (self.hangAt !== undefined && at >= self.hangAt) await firing(signal);
        yield bytes.subarray(at, at + fakePieceBytes);
      }
    } finally {
      self.open--;
    }
  }

  const bytesOf = (name: string) => ({
    name,
    sizeBytes: self.bytes.length,
    contentId: `id-${self.bytes.length}`,
    read: ({ offset, length }: { offset: number; length: number }, signal: AbortSignal) =>
      stream(self.bytes.subarray(offset, offset + length), signal),
  });

  const self: FakeContents = {
    entries: [],
    bytes: Buffer.alloc(0),
    breakAt: undefined,
    hangAt: undefined,
    seen: {},
    open: 0,
    reset() {
      Object.assign(self, { entries: [], bytes: Buffer.alloc(0), breakAt: undefined, hangAt: undefined, seen: {} });
    },
    async list(caller, of, { path, marker, limit }, signal) {
      find(caller, of, path, signal);
      const start = marker === undefined ? 0 : self.entries.findIndex((entry) => entry.path === marker) + 1;
      return self.entries.slice(start, start + limit);
    },
    async getFile(caller, of, path, signal) {
      find(caller, of, path, signal);
      const entry = self.entries.find((each) => each.path === path);
      if (entry === undefined) throw new Fault('not-found', 'repository.path_absent', `${path} is not in the snapshot.`);
      return bytesOf(entry.name);
    },
    async getVolume(caller, of, signal) {
      find(caller, of, '', signal);
      return bytesOf('db-data.img');
    },
    async getArchive(caller, of, path, signal) {
      find(caller, of, path, signal);
      return { name: 'db-data.tar', bytes: stream(self.bytes, signal) };
    },
  };
  return self;
}

function firing(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}
