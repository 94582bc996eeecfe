/** `npm run demo`: a database and a disk cross from one cloud to another. Ends with 0 when every comparison was equal. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { say } from './screen.ts';
import { tellStory } from './story.ts';

const dir = mkdtempSync(join(tmpdir(), 'karri-demo-'));
// The database server runs as another user than root and must find its way in.
chmodSync(dir, 0o755);

const house = new AsyncDisposableStack();
house.defer(() => rmSync(dir, { recursive: true, force: true }));
let cleaning: Promise<void> | undefined;
const cleanUp = (): Promise<void> => {
  cleaning ??= house.disposeAsync();
  return cleaning;
};

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    say('interrupted: cleaning up');
    void cleanUp().finally(() => process.exit(130));
  });
}

try {
  process.exitCode = (await tellStory(dir, house)) ? 0 : 1;
} catch (error) {
  // What a Ctrl-C cut off complains, and nobody needs to hear it.
  if (!interrupted) {
    say(`✗ ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
} finally {
  await cleanUp();
}
