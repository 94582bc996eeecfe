import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { Fault } from '../base/faults.ts';

/**
 * The YAML text of a file as the schema wants it. An empty file is an empty map.
 * @throws invalid `config.bad_yaml`, `config.bad_field` naming file and field
 */
export function parseChecked<Schema extends TSchema>(file: string, text: string, schema: Schema): Static<Schema> {
  const document = parseDocument(text);
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new Fault('invalid', 'config.bad_yaml', `${file} is not YAML: ${broken.message.split('\n')[0] ?? ''}`, {
      details: { file },
    });
  }
  const value: unknown = document.toJS() ?? {};
  if (Value.Check(schema, value)) return value;
  const error = mostTelling([...Value.Errors(schema, value)]);
  const path = error?.instancePath.slice(1).replaceAll('/', '.') ?? '';
  const unknown = error?.keyword === 'additionalProperties' ? unknownMembers(error) : undefined;
  const field = [path, unknown?.[0]].filter((part) => part !== undefined && part !== '').join('.');
  const what = unknown === undefined ? (error?.message ?? 'is not allowed') : 'is not known';
  throw new Fault('invalid', 'config.bad_field', `${file}: ${field === '' ? 'the file' : field} ${what}.`, {
    details: { file, field },
    help: 'The README lists what may stand there.',
  });
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

/** The deepest error says most; a union reports all its branches and then itself. */
function mostTelling(errors: readonly SchemaError[]): SchemaError | undefined {
  const depth = ({ instancePath }: SchemaError): number => instancePath.split('/').length;
  return errors.toSorted((a, b) => depth(b) - depth(a))[0];
}

function unknownMembers({ params }: SchemaError): readonly string[] | undefined {
  return 'additionalProperties' in params && Array.isArray(params.additionalProperties) ? params.additionalProperties : undefined;
}
