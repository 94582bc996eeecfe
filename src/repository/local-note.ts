import { createHmac, randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Json } from '../base/canonical-json.ts';
import { errnoOf, fileFault } from './file-faults.ts';

export interface LocalNoteOptions {
  readonly path: string;
  /** For the MAC: nobody else can make us believe things about the repository. */
  readonly key: Buffer;
}

/** Some JSON in a local file, for the next run of the process. Only ever a cache: any number of processes may write it, the last one counts. */
export class LocalNote {
  readonly #options: LocalNoteOptions;

  constructor(options: LocalNoteOptions) {
    this.#options = options;
  }

  /** Undefined when there is none that one of us has written. */
  async read(): Promise<Json | undefined> {
    const { path } = this.#options;
    const bytes = await readFile(path).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw fileFault(error, 'read', path);
    });
    const [mac, text] = bytes?.toString().split('\n') ?? [];
    return text !== undefined && mac === this.#macOf(text) ? (JSON.parse(text) as Json) : undefined;
  }

  async write(note: Json): Promise<void> {
    const { path } = this.#options;
    const text = JSON.stringify(note);
    const unfinished = `${path}-${randomBytes(8).toString('hex')}.new`;
    try {
      await writeFile(unfinished, `${this.#macOf(text)}\n${text}`, { mode: 0o600 });
      await rename(unfinished, path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileFault(error, 'write', path); // somebody has cleared the folder
    }
  }

  #macOf(text: string): string {
    return createHmac('sha256', this.#options.key).update(text).digest('hex');
  }
}
