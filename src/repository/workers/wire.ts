import { Fault, type FaultDetails, type FaultKind, type Retry, toFault } from '../../base/faults.ts';
import type { TableView } from '../index/chunk-table.ts';
import type { SinkCounters } from '../packs/chunk-sink.ts';
import type { FinishedPack } from '../packs/format.ts';

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly projectId: string;
  readonly keys: readonly { readonly id: string; readonly secret: Uint8Array }[];
  readonly writingKeyId: string;
  readonly view: TableView;
  /** One number: the next free pack number of the process. */
  readonly packNumbers: Int32Array;
  /** Where emptied pack buffers come back. */
  readonly emptied: import('node:worker_threads').MessagePort;
  /** Counts the buffers that came back; waited on when all are on their way. */
  readonly emptiedCount: Int32Array;
}

/** Main thread → worker. */
export type ToWorker =
  | { readonly type: 'task'; readonly id: number; readonly name: string; readonly input: unknown; readonly cancel: Int32Array }
  | { readonly type: 'flush'; readonly id: number; readonly cancel: Int32Array }
  | { readonly type: 'trim' }
  | { readonly type: 'view'; readonly id: number; readonly view: TableView };

/** Worker → main thread. */
export type FromWorker =
  | { readonly type: 'seen'; readonly id: number }
  | { readonly type: 'done'; readonly id: number; readonly output: unknown; readonly counters: SinkCounters }
  | { readonly type: 'failed'; readonly id: number; readonly fault: WireFault }
  | ({ readonly type: 'pack'; readonly number: number } & FinishedPack);

/** A fault as plain data: structured clone keeps no class and no own fields of an error. */
export interface WireFault {
  readonly kind: FaultKind;
  readonly code: string;
  readonly message: string;
  readonly retry: Retry;
  readonly details: FaultDetails;
  readonly help: string | undefined;
  readonly stack: string | undefined;
}

export function encodeFault(error: unknown): WireFault {
  const { kind, code, message, retry, details, help, stack } = toFault(error);
  const cause = error instanceof Error ? error.stack : undefined;
  return { kind, code, message, retry, details, help, stack: cause ?? stack };
}

export function decodeFault({ kind, code, message, retry, details, help, stack }: WireFault): Fault {
  return new Fault(kind, code, message, {
    retry,
    details,
    ...(help !== undefined && { help }),
    ...(stack !== undefined && { cause: stack }),
  });
}
