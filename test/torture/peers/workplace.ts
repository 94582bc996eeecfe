import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSeeded } from '../../kit/seeded.ts';
import { memoryFolder } from '../scene.ts';
import { type Command, createTool, type Ended, runTool, type Tool } from './tools.ts';

/** What a restore of a snapshot came to. */
export type Restored = 'equal' | 'failed' | 'wrong';

/** One tool at a repository with three snapshots of a file that changes; the last version of it has not been backed up so far. */
export class Workplace {
  readonly tool: Tool;
  readonly folder: string;
  readonly source: string;
  /** Snapshot → what its file held. */
  readonly promised: ReadonlyMap<string, Buffer>;

  constructor(parts: Pick<Workplace, 'tool' | 'folder' | 'source' | 'promised'>) {
    this.tool = parts.tool;
    this.folder = parts.folder;
    this.source = parts.source;
    this.promised = parts.promised;
  }

  static async make(name: Tool['name'], seed: number): Promise<Workplace> {
    const folder = mkdtempSync(join(memoryFolder, `karri-peers-${name}-`));
    const tool = createTool(name, folder);
    const source = join(folder, 'source');
    const chance = createSeeded('peers', seed);
    const bytes = chance.bytes(1_500_000);
    const promised = new Map<string, Buffer>();
    tool.prepare();
    for (const command of tool.init) await demand(tool, command);
    for (let n = 0; n < 3; n++) {
      chance.bytes(300_000).copy(bytes, n * 400_000);
      writeFileSync(source, bytes);
      await demand(tool, tool.backup(source, `s${n}`));
      const id = tool.readNames((await demand(tool, tool.list)).printed).find((one) => !promised.has(one));
      if (id === undefined) throw new Error(`${name} does not list what it has backed up.`);
      promised.set(id, Buffer.from(bytes));
    }
    writeFileSync(source, Buffer.concat([bytes.subarray(0, 400_000), chance.bytes(12_000_000)]));
    return new Workplace({ tool, folder, source, promised });
  }

  /** The same with a repository of its own, in another place. */
  clone(): Workplace {
    const folder = mkdtempSync(join(memoryFolder, 'karri-peers-clone-'));
    cpSync(this.folder, folder, { recursive: true, preserveTimestamps: true });
    return new Workplace({ tool: createTool(this.tool.name, folder), folder, source: this.source, promised: this.promised });
  }

  run(command: Command, killAfterMs?: number): Promise<Ended> {
    return runTool(this.tool, command, killAfterMs);
  }

  async restore(snapshot: string, expected: Buffer): Promise<Restored> {
    const target = mkdtempSync(join(memoryFolder, 'karri-peers-target-'));
    try {
      const { landedAt, ...command } = this.tool.restore(snapshot, this.source, target);
      if ((await this.run(command)).code !== 0) return 'failed';
      return readFileSync(landedAt).equals(expected) ? 'equal' : 'wrong';
    } finally {
      rmSync(target, { recursive: true });
    }
  }

  /** Backs the source up and restores it: what the next night would do. */
  async backUpAgain(name: string): Promise<Restored> {
    if ((await this.run(this.tool.backup(this.source, name))).code !== 0) return 'failed';
    const listed = await this.run(this.tool.list);
    // A list may be one of what is whole, and complain of the rest.
    const id = listed.printed === '' ? undefined : this.tool.readNames(listed.printed).find((one) => !this.promised.has(one));
    return id === undefined ? 'failed' : this.restore(id, readFileSync(this.source));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function demand(tool: Tool, command: Command): Promise<Ended> {
  mkdirSync(join(tool.repository, '..'), { recursive: true });
  const ended = await runTool(tool, command);
  if (ended.code === 0) return ended;
  throw new Error(`${command.program} ${command.args.join(' ')} ended with ${ended.code}: ${ended.output}`);
}
