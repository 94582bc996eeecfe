/** What a scripted fault can do to one request. `status` answers with an S3 error document of that code. */
export type S3Fault =
  | { readonly kind: 'status'; readonly status: number; readonly code: string }
  /** Takes the request and never answers. */
  | { readonly kind: 'silence' }
  /** Cuts the connection in the middle of the body, of the answer for a GET, else of the request. */
  | { readonly kind: 'reset-mid-body' }
  /** GET: half of the bytes, with headers that call it the whole. */
  | { readonly kind: 'short-body' }
  /** Status 200 and an error document; the work is not done. */
  | { readonly kind: 'error-in-200' }
  /** Does the work and cuts the connection instead of answering. */
  | { readonly kind: 'lost-reply' }
  /** LIST: as if the key that was written last were not there yet. */
  | { readonly kind: 'stale-list' }
  /** LIST: the first page, whatever was asked for. */
  | { readonly kind: 'repeated-page' }
  /** The body of the answer comes a few bytes at a time. */
  | { readonly kind: 'slow-drip'; readonly bytes: number; readonly everyMs: number };

/** One request as it is logged and as faults are chosen by. */
export interface S3Request {
  /** Counts from 1 over the life of the server. */
  readonly number: number;
  readonly method: string;
  readonly operation: 'put' | 'get' | 'head' | 'delete' | 'multi-delete' | 'list' | 'bucket' | 'other';
  readonly bucket: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type ChooseFault = (request: S3Request) => S3Fault | undefined;
