import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import {
  type Body,
  type CallOptions,
  checkKey,
  checkPrefix,
  type Finding,
  type GetOptions,
  isFault,
  isKey,
  joinBody,
  type ListOptions,
  missingFault,
  type ObjectEntry,
  type ObjectStat,
  type ObjectStore,
  type PluginContext,
  type PutOptions,
  shortFault,
} from 'karri/plugin';
import { type Bucket, createBucket, strangeAnswer } from './bucket.ts';
import { learnConditionalPut } from './conditional-put.ts';
import type { S3Config } from './config.ts';
import { readCredentials } from './credentials.ts';
import { createDeleting, type Deleting } from './deleting.ts';
import { probeS3 } from './probe.ts';
import { readBody } from './read-body.ts';

/**
 * Opens the bank: one listing shows that bucket, region and keys are right, one conditional put what the store makes of it.
 * @throws {Fault} `s3.credentials`, `storage.no_bank`, `storage.refused`, `storage.unreachable`, …
 */
export async function openS3Store(config: S3Config, context: PluginContext): Promise<ObjectStore> {
  const { prefix = '' } = config;
  if (prefix !== '') checkKey(prefix);
  const bucket = createBucket(config, await readCredentials(config, context));
  try {
    await demandBucket(bucket, config);
    return new S3Store(bucket, await learnConditionalPut(bucket));
  } catch (error) {
    bucket.client.destroy();
    throw error;
  }
}

class S3Store implements ObjectStore {
  readonly description: string;
  readonly abilities: { readonly conditionalPut: boolean };
  readonly #bucket: Bucket;
  readonly #deleting: Deleting;

  constructor(bucket: Bucket, conditionalPut: boolean) {
    this.description = bucket.description;
    this.abilities = { conditionalPut };
    this.#bucket = bucket;
    this.#deleting = createDeleting(bucket);
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<void> {
    const ifAbsent = options.ifAbsent === true && this.abilities.conditionalPut;
    await this.#bucket.put(this.#full(key), joinBody(body), { ifAbsent, signal: options.signal });
  }

  async get(key: string, options: GetOptions = {}): Promise<Buffer> {
    const full = this.#full(key);
    const { range, signal } = options;
    if (range?.length === 0) {
      // HTTP has no empty range.
      if (!(await this.stat(key, options))) throw missingFault(this.description, key);
      return Buffer.allocUnsafeSlow(0);
    }
    const { client, name } = this.#bucket;
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    try {
      return await this.#bucket.send(
        full,
        async ({ abortSignal, allow }) => {
          const answer = await client.send(new GetObjectCommand({ Bucket: name, Key: full, Range }), { abortSignal });
          return readBody(this.#bucket, full, answer, options, allow);
        },
        signal,
      );
    } catch (error) {
      if (range && isFault(error) && error.details.status === 416) throw shortFault(this.description, full, range.length, 0);
      throw error;
    }
  }

  async stat(key: string, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    const full = this.#full(key);
    const { client, name } = this.#bucket;
    try {
      const answer = await this.#bucket.send(
        full,
        ({ abortSignal }) => client.send(new HeadObjectCommand({ Bucket: name, Key: full }), { abortSignal }),
        options.signal,
      );
      if (answer.ContentLength === undefined || answer.ETag === undefined) {
        throw strangeAnswer(full, this.description, 'it has no length or no ETag');
      }
      return { sizeBytes: answer.ContentLength };
    } catch (error) {
      if (!isFault(error, 'storage.missing')) throw error;
      // The answer to a HEAD has no body, so it cannot say that the whole bucket is gone.
      await lookAtBucket(this.#bucket, options.signal);
      return undefined;
    }
  }

  /** Pages begin after the last key seen, not at a token: a page that is given twice, or out of order, is noticed. */
  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectEntry> {
    checkPrefix(prefix);
    const { client, name, prefix: root, description } = this.#bucket;
    let last = options.startAfter === undefined ? undefined : root + options.startAfter;
    for (let more = true; more; ) {
      const answer = await this.#bucket.send(
        root + prefix,
        ({ abortSignal }) =>
          client.send(new ListObjectsV2Command({ Bucket: name, Prefix: root + prefix, StartAfter: last }), { abortSignal }),
        options.signal,
      );
      // Always sent by S3: without it this is some other document under status 200, and not an empty listing.
      if (answer.IsTruncated === undefined)
        throw strangeAnswer(root + prefix, description, 'a listing does not say whether it is complete');
      const entries = answer.Contents ?? [];
      if (answer.IsTruncated && entries.length === 0)
        throw strangeAnswer(root + prefix, description, 'a page of a listing is empty');
      for (const { Key = '', Size = 0 } of entries) {
        if (last !== undefined && Key <= last)
          throw strangeAnswer(root + prefix, description, `the listing has ${Key} after ${last}`);
        last = Key;
        const key = Key.slice(root.length);
        if (isKey(key)) yield { key, sizeBytes: Size };
      }
      more = answer.IsTruncated;
    }
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    await this.#deleting(
      keys.map((key) => this.#full(key)),
      options.signal,
    );
  }

  async probe(scratch: string, options: CallOptions = {}): Promise<readonly Finding[]> {
    return probeS3(this.#bucket, this.#full(scratch), options.signal);
  }

  async close(): Promise<void> {
    this.#bucket.client.destroy();
  }

  #full(key: string): string {
    checkKey(key);
    return this.#bucket.prefix + key;
  }
}

async function demandBucket(bucket: Bucket, config: S3Config): Promise<void> {
  try {
    await lookAtBucket(bucket);
  } catch (error) {
    if (!config.create_bucket || !isFault(error, 'storage.no_bank')) throw error;
    // Only AWS itself wants to be told the region once more; others take the name for one of their own placement rules.
    const elsewhere = config.endpoint === undefined && bucket.region !== 'us-east-1';
    const CreateBucketConfiguration = elsewhere ? { LocationConstraint: bucket.region as BucketLocationConstraint } : undefined;
    await bucket.send(undefined, ({ abortSignal }) =>
      bucket.client.send(new CreateBucketCommand({ Bucket: bucket.name, CreateBucketConfiguration }), { abortSignal }),
    );
    await lookAtBucket(bucket);
  }
}

/** @throws {Fault} `storage.no_bank` and all others that say what is wrong with bucket, region or keys */
async function lookAtBucket(bucket: Bucket, signal?: AbortSignal): Promise<void> {
  await bucket.send(
    undefined,
    ({ abortSignal }) =>
      bucket.client.send(new ListObjectsV2Command({ Bucket: bucket.name, Prefix: bucket.prefix, MaxKeys: 1 }), { abortSignal }),
    signal,
  );
}
