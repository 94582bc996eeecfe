import type { Knex } from 'knex';
import type { Service, ServiceBinary } from '../model/service.ts';

/** The roles of all processes that ever shared this database. */
export interface ServiceStore {
  /** Says that this role lives, and hears whether it may work; a seat is one state folder of one machine. */
  beat(service: { binary: ServiceBinary; host: string; seat: string }): Promise<Service['status']>;
  /** Ascending by id; host and binary exactly. */
  list(query: { readonly host?: string; readonly binary?: string }): Promise<Service[]>;
  find(id: number): Promise<Service | undefined>;
  setStatus(id: number, status: Service['status'], disabledReason: string | null): Promise<void>;
}

/** Without a heartbeat for so long a service is down; Karbor's `service_down_time`. */
const downSeconds = 60;

interface ServiceRow {
  id: number;
  binary: ServiceBinary;
  host: string;
  status: Service['status'];
  up: boolean;
  updated_at: Date;
  disabled_reason: string | null;
}

export function createServiceStore(knex: Knex): ServiceStore {
  const rows = () =>
    knex('services').select(
      'id',
      'binary',
      'host',
      'status',
      'updated_at',
      'disabled_reason',
      knex.raw('updated_at >= now() - make_interval(secs => ?) as up', [downSeconds]),
    );

  return {
    async beat({ binary, host, seat }) {
      const rows: { status: Service['status'] }[] = await knex('services')
        .insert({ binary, host, seat })
        .onConflict(['binary', 'seat'])
        .merge({ host, updated_at: knex.fn.now() })
        .returning('status');
      return rows[0]?.status ?? 'enabled';
    },

    async list({ host, binary }) {
      const query = rows().orderBy('id');
      if (host !== undefined) void query.where('host', host);
      if (binary !== undefined) void query.where({ binary });
      const found: ServiceRow[] = await query;
      return found.map(fromRow);
    },

    async find(id) {
      const row: ServiceRow | undefined = await rows().where('id', id).first();
      return row && fromRow(row);
    },

    async setStatus(id, status, disabledReason) {
      await knex('services').where({ id }).update({ status, disabled_reason: disabledReason });
    },
  };
}

function fromRow(row: ServiceRow): Service {
  return {
    id: row.id,
    binary: row.binary,
    host: row.host,
    status: row.status,
    state: row.up ? 'up' : 'down',
    updatedAt: row.updated_at.getTime(),
    disabledReason: row.disabled_reason,
  };
}
