import { places } from './document.ts';
import { type RetryOptions, send, sleep } from './send.ts';
import type { Answer, Call, Item, ListId, Noun, OperationId } from './types.ts';

export { type FaultName, KarriFault, KarriUnreachable } from './fault.ts';
export type { Answer, Input, Item, ListId, Noun, OperationId } from './types.ts';

export interface ClientOptions {
  /** Where the service is: `http://127.0.0.1:8799`. */
  readonly url: string;
  readonly projectId: string;
  /** `X-Auth-Token`; a function is asked before every request, for tokens that end. */
  readonly token: string | (() => string | Promise<string>);
  readonly retry?: RetryOptions;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

export type Progress = NonNullable<Noun<'Progress'>>;

export interface WaitOptions {
  /** Called whenever the service was asked and knows how far it is. */
  readonly onProgress?: (progress: Progress) => void;
  /** Between two questions. Default: 1000. */
  readonly pollMs?: number;
  readonly signal?: AbortSignal;
}

/** Every operation of the document under its id, and what one would write around them. */
export type Client = { readonly [Id in OperationId]: Call<Id> } & {
  readonly projectId: string;
  /** Every item of a list, page after page; the next page is fetched when the first item of it is wanted. */
  each<Id extends ListId>(list: Id, ...input: Parameters<Call<Id>>): AsyncGenerator<Item<Id>, void, undefined>;
  /** Until nothing is under way with it. How it ended is its `status`: `available`, `deleted`, or one with `error` and a `reason`. */
  waitForCheckpoint(providerId: string, id: string, options?: WaitOptions): Promise<Noun<'Checkpoint'>>;
  /** Until it is over: `success` or `fail`. */
  waitForRestore(id: string, options?: WaitOptions): Promise<Noun<'Restore'>>;
  /** Until it is over: `success` or `fail`. */
  waitForVerification(id: string, options?: WaitOptions): Promise<Noun<'Verification'>>;
};

const underWay: ReadonlySet<string> = new Set(['protecting', 'deleting', 'wait_copying', 'copying', 'in_progress']);

/** A client of one project. Every call throws KarriFault when the service says no, KarriUnreachable when it says nothing. */
export function createClient(options: ClientOptions): Client {
  const { url, projectId, token, retry = {}, fetch = globalThis.fetch } = options;

  const call = async <Id extends OperationId>(id: Id, given: RawInput = {}): Promise<Answer<Id>> => {
    const { path = {}, query = {}, body, headers = {}, signal } = given;
    const [method, place, kind] = places[id];
    const response = await send(
      {
        url: `${url.replace(/\/$/, '')}${fillPath(place, { project_id: projectId, ...path })}${writeQuery(query)}`,
        method,
        headers: {
          'x-auth-token': typeof token === 'string' ? token : await token(),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
      },
      { fetch, retry },
    );
    // The table and the types are written from the same document.
    if (kind === 'bytes') return response as Answer<Id>;
    const text = await response.text();
    return (kind === 'empty' ? undefined : JSON.parse(text)) as Answer<Id>;
  };

  async function* each<Id extends ListId>(list: Id, input: RawInput = {}): AsyncGenerator<Item<Id>, void, undefined> {
    let marker: string | undefined;
    do {
      const page = await call(
        list,
        marker === undefined ? input : { ...input, query: { ...input.query, marker, offset: undefined } },
      );
      marker = undefined;
      for (const [key, value] of Object.entries(page as Readonly<Record<string, unknown>>)) {
        if (key.endsWith('_links')) marker = readMarker(value);
        else if (Array.isArray(value)) yield* value as Item<Id>[];
      }
    } while (marker !== undefined);
  }

  const wait = async <Shown extends Waited>(
    get: (signal?: AbortSignal) => Promise<Shown>,
    how: WaitOptions = {},
  ): Promise<Shown> => {
    for (;;) {
      const shown = await get(how.signal);
      if (shown.progress) how.onProgress?.(shown.progress);
      if (!underWay.has(shown.status)) return shown;
      await sleep(how.pollMs ?? 1000, how.signal);
    }
  };

  const methods = {} as { readonly [Id in OperationId]: Call<Id> };
  for (const id of Object.keys(places) as OperationId[]) Object.assign(methods, { [id]: (input?: RawInput) => call(id, input) });

  return {
    ...methods,
    projectId,
    each,
    waitForCheckpoint: (provider_id, checkpoint_id, how) =>
      wait(async (signal) => (await call('getCheckpoint', { path: { provider_id, checkpoint_id }, signal })).checkpoint, how),
    waitForRestore: (restore_id, how) =>
      wait(async (signal) => (await call('getRestore', { path: { restore_id }, signal })).restore, how),
    waitForVerification: (verification_id, how) =>
      wait(async (signal) => (await call('getVerification', { path: { verification_id }, signal })).verification, how),
  };
}

/** Input of any operation; `Input` is what its callers see. */
interface RawInput {
  readonly path?: Readonly<Record<string, unknown>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Waited {
  readonly status: string;
  readonly progress?: Progress | null;
}

function fillPath(place: string, members: Readonly<Record<string, unknown>>): string {
  return place.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(members[name])));
}

function writeQuery(query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}`;
}

/** Of the next page; undefined: this is the last one. Only the marker counts: the address may be one that only a proxy knows. */
function readMarker(links: unknown): string | undefined {
  const [link] = Array.isArray(links) ? (links as { readonly href: string }[]) : [];
  return link === undefined ? undefined : (new URL(link.href).searchParams.get('marker') ?? undefined);
}
