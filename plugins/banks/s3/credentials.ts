import { readFile, stat } from 'node:fs/promises';
import { Fault, type PluginContext } from 'karri/plugin';
import type { S3Config } from './config.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** @throws {Fault} `s3.credentials` (invalid): none named, not readable, open to everybody, or not in the form `parseCredentials` takes */
export async function readCredentials(config: S3Config, context: PluginContext): Promise<Credentials> {
  const { credentials_file: file, access_key_env: accessName, secret_key_env: secretName } = config;
  if (file !== undefined) return readCredentialsFile(context.resolvePath(file));
  if (accessName === undefined || secretName === undefined) {
    throw credentialsFault(
      'The S3 bank has no keys.',
      'Give bank.config.credentials_file, or access_key_env and secret_key_env.',
    );
  }
  return { accessKeyId: readVariable(context, accessName), secretAccessKey: readVariable(context, secretName) };
}

/**
 * The form of a credentials file: a line `access_key: …` and a line `secret_key: …`. The value is the rest of the line
 * without white space around it (Swift's keys hold colons); empty lines and lines that begin with # are passed over.
 */
export function parseCredentials(text: string, path: string): Credentials {
  const found = new Map<string, string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const match = /^\s*(access_key|secret_key)\s*:\s*(\S.*?)\s*$/.exec(line);
    // The line itself may be a secret: only its number is told.
    if (!match) throw credentialsFault(`Line ${index + 1} of ${path} is no key.`, formHelp);
    found.set(match[1] ?? '', match[2] ?? '');
  }
  const accessKeyId = found.get('access_key');
  const secretAccessKey = found.get('secret_key');
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw credentialsFault(`${path} lacks ${accessKeyId === undefined ? 'access_key' : 'secret_key'}.`, formHelp);
  }
  return { accessKeyId, secretAccessKey };
}

const formHelp = 'It needs two lines: "access_key: …" and "secret_key: …".';

async function readCredentialsFile(path: string): Promise<Credentials> {
  let text: string;
  let mode: number;
  try {
    mode = (await stat(path)).mode;
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw credentialsFault(
      `The credentials file ${path} cannot be read.`,
      'Correct bank.config.credentials_file of the provider.',
      error,
    );
  }
  if ((mode & 0o007) !== 0)
    throw credentialsFault(`Everybody on this host can reach the credentials file ${path}.`, `Run: chmod 600 ${path}`);
  return parseCredentials(text, path);
}

function readVariable(context: PluginContext, name: string): string {
  const value = context.readEnvironment(name);
  if (value) return value;
  throw credentialsFault(
    `The environment variable ${name} is not set.`,
    'The S3 bank takes a key from it: set it, or use credentials_file.',
  );
}

function credentialsFault(message: string, help: string, cause?: unknown): Fault {
  return new Fault('invalid', 's3.credentials', message, { help, cause });
}
