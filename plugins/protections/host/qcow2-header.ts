import { open } from 'node:fs/promises';
import { Fault } from 'karri/plugin';

/** Where things stand in the header; all of it big-endian. */
const places = { version: 4, backingFile: 8, encryption: 32, incompatible: 72 } as const;
const headerBytes = 80;
const externalDataBit = 4n;

/**
 * An image that names other files is not opened: whoever made it could have any file of this host read, and a backing file that
 * changes changes what the guest sees without a bitmap noticing.
 *
 * @throws {Fault} unsupported `host.qcow2_unsupported`
 */
export async function refuseOtherFiles(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { buffer } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    if (buffer.readBigUInt64BE(places.backingFile) !== 0n) throw unsupported(path, 'has a backing file');
    if (buffer.readUInt32BE(places.encryption) !== 0) throw unsupported(path, 'is encrypted');
    if (buffer.readUInt32BE(places.version) >= 3 && (buffer.readBigUInt64BE(places.incompatible) & externalDataBit) !== 0n)
      throw unsupported(path, 'keeps its data in another file');
  } finally {
    await file.close();
  }
}

function unsupported(path: string, what: string): Fault {
  return new Fault('unsupported', 'host.qcow2_unsupported', `The image ${path} ${what}, so its contents cannot be protected.`, {
    details: { path },
    help: 'Make it one image of its own (qemu-img convert -O qcow2), or protect it as the file it is (qcow2: file).',
  });
}
