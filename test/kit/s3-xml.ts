const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

export function errorDocument(code: string, message: string, key: string): string {
  return `${head}<Error><Code>${toEntities(code)}</Code><Message>${toEntities(message)}</Message><Key>${toEntities(key)}</Key></Error>`;
}

export function listDocument(prefix: string, page: readonly { key: string; sizeBytes: number }[], more: boolean): string {
  const entries = page.map(({ key, sizeBytes }) => `<Contents><Key>${toEntities(key)}</Key><Size>${sizeBytes}</Size></Contents>`);
  const token = more ? `<NextContinuationToken>${toEntities(page.at(-1)?.key ?? '')}</NextContinuationToken>` : '';
  const counts = `<KeyCount>${page.length}</KeyCount><IsTruncated>${more}</IsTruncated>`;
  return `${head}<ListBucketResult ${namespace}><Prefix>${toEntities(prefix)}</Prefix>${counts}${token}${entries.join('')}</ListBucketResult>`;
}

export function multiDeleteDocument(keys: readonly string[]): string {
  return `${head}<DeleteResult ${namespace}>${keys.map((key) => `<Deleted><Key>${toEntities(key)}</Key></Deleted>`).join('')}</DeleteResult>`;
}

/** The keys of a multi-delete request. */
export function parseMultiDelete(xml: string): readonly string[] {
  return [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => fromEntities(match[1] ?? ''));
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' } as const;

function toEntities(text: string): string {
  return text.replace(/[&<>"]/g, (char) => entities[char as keyof typeof entities]);
}

function fromEntities(text: string): string {
  const chars = Object.fromEntries(Object.entries(entities).map(([char, entity]) => [entity, char]));
  return text.replace(/&(?:amp|lt|gt|quot);/g, (entity) => chars[entity] ?? entity);
}
