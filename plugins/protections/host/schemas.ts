import type { ProtectionSchemas, PublishedSchema } from 'karri/plugin';

const text = (title: string, description: string): Readonly<Record<string, unknown>> => ({
  type: 'string',
  title,
  description,
  default: null,
});

const patterns = (title: string, what: string): Readonly<Record<string, unknown>> =>
  text(title, `${what}: gitignore-like patterns against the path below the volume, as a JSON list or parted by commas.`);

function schema(title: string, properties: PublishedSchema['properties']): PublishedSchema {
  return { title, type: 'object', properties, required: [] };
}

const verify = (what: string): PublishedSchema =>
  schema(`${what} verification`, {
    percent: {
      type: 'number',
      title: 'Percent',
      description: 'Share of the stored bytes that is read back and checked; the structure always is.',
      exclusiveMinimum: 0,
      maximum: 100,
      default: 100,
    },
  });

const restore = (what: string, mounted: string): PublishedSchema =>
  schema(`${what} restore`, {
    restore_name: text('Name', 'Name of the new volume in the first volume root. Default: the name of the original.'),
    restore_path: text('Path', 'Absolute path of the restored volume, inside a volume root, in place of a name.'),
    overwrite: { type: 'boolean', title: 'Overwrite', description: 'Take the place of what is there.', default: false },
    mount_point: text('Mount point', `${mounted}; one of those the operator allows.`),
  });

const savedInfo = (what: string): PublishedSchema =>
  schema(`Saved ${what.toLowerCase()}`, {
    snapshot: { type: 'string', title: 'Snapshot' },
    kind: { type: 'string', enum: ['volume', 'tree'], title: 'Kind' },
    name: { type: 'string', title: 'Name of the original' },
    format: { type: 'string', enum: ['tree', 'raw', 'qcow2'], title: 'Format' },
    size_bytes: { type: 'integer', title: 'Size' },
    digest: { type: 'string', title: 'Digest' },
    stored_bytes: { type: 'integer', title: 'Bytes added to the bank' },
    reused_bytes: { type: 'integer', title: 'Bytes that were there already' },
    files: { type: ['integer', 'null'], title: 'Files' },
    mode: { type: ['integer', 'null'], title: 'Permission bits of an image file' },
    warnings: { type: 'array', items: { type: 'string' }, title: 'First warnings' },
    warning_count: { type: 'integer', title: 'Warnings' },
  });

export const directorySchemas: ProtectionSchemas = {
  options: schema('Directory options', {
    include: patterns('Include', 'Only what matches is taken'),
    exclude: patterns('Exclude', 'What matches is left out'),
  }),
  restore: restore('Directory', 'Where the restored folder is bind-mounted'),
  verify: verify('Directory'),
  savedInfo: savedInfo('Directory'),
};

export const blockSchemas: ProtectionSchemas = {
  options: schema('Block volume options', {
    qcow2: {
      type: 'string',
      enum: ['file', 'contents'],
      title: 'qcow2 images',
      description:
        'Protect the file as it is, or the disk that a guest sees in it, restored as a raw image. The latter needs qemu-utils and an image that no guest runs on.',
      default: 'file',
    },
    bitmap: text(
      'Bitmap',
      'Name under which Karri keeps dirty bitmaps in the image, so that only what changed is read (with qcow2: contents). One for each provider.',
    ),
    full_read_every: {
      type: 'integer',
      title: 'Full read every',
      description: 'Every so many checkpoints everything is read and compared with what the bitmap says; 0: never.',
      minimum: 0,
      default: 10,
    },
  }),
  restore: restore('Block volume', 'Where the file system of the restored image is mounted'),
  verify: verify('Block volume'),
  savedInfo: savedInfo('Block volume'),
};
