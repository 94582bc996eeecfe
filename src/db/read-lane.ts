import { Socket } from 'node:net';
import pg from 'pg';

/** So many sessions: while one server process works on what was sent, the next batch goes to the other. */
const sessions = 2;

/** A shortcut to the database for short reads that many callers wait for at once. */
export interface ReadLane {
  /** The rows; undefined when the lane could not give them, for whatever reason: ask on the ordinary way, which says what is wrong. */
  read(sql: string, values: readonly unknown[]): Promise<unknown[] | undefined>;
  close(): Promise<void>;
}

/**
 * Statements are sent without waiting for the answers to those before, and prepared once in each session: less than half of
 * what the pool and PostgreSQL spend on a page of a list. In exchange a slow statement would hold up those behind it, so only
 * what an index answers at once may come here, and only few different texts. Opened with the first read.
 */
export function createReadLane(connection: pg.ClientConfig): ReadLane {
  const opened: (Promise<Session> | undefined)[] = [];
  const names = new Map<string, string>();
  let turn = 0;

  const open = async (place: number): Promise<Session> => {
    const socket = new Socket();
    const client = new pg.Client({ ...connection, pipeline: true, stream: () => socket });
    // The server went away. Whoever waits for an answer hears it too; nobody else needs to.
    client.on('error', () => {
      opened[place] = undefined;
    });
    await client.connect();
    return { client, socket };
  };

  const nameOf = (sql: string): string => {
    const name = names.get(sql) ?? `page_${names.size + 1}`;
    names.set(sql, name);
    return name;
  };

  return {
    async read(sql, values) {
      turn = (turn + 1) % sessions;
      const place = turn;
      opened[place] ??= open(place);
      const session = opened[place];
      try {
        const { client, socket } = await session;
        gather(socket);
        return (await client.query({ name: nameOf(sql), text: sql, values: [...values] })).rows;
      } catch {
        // A session that failed once is not used again: what it has prepared may be of a schema that has changed since.
        if (opened[place] === session) opened[place] = undefined;
        await session.then(
          ({ client }) => client.end(),
          () => undefined,
        );
        return undefined;
      }
    },

    async close() {
      for (const session of opened.splice(0)) {
        await session?.then(
          ({ client }) => client.end(),
          () => undefined,
        );
      }
    },
  };
}

interface Session {
  readonly client: pg.Client;
  readonly socket: Socket;
}

/** What is asked in one turn of the event loop goes out in one write: a write is the dearest part of a short read. */
function gather(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  setImmediate(() => socket.uncork());
}
