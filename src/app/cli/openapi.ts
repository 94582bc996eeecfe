import { readFile } from 'node:fs/promises';
import { type Command, parse } from './command.ts';

/** Written from the routes and compared with them by a test; a running service answers the same at `/openapi.json`. */
const documentFile = new URL('../../../openapi/openapi.json', import.meta.url);

export const openapi: Command = {
  usage: 'openapi',
  summary: 'print the OpenAPI document of the API',
  async run(args, streams) {
    parse(args, {});
    streams.out.write(await readFile(documentFile, 'utf8'));
    return 0;
  },
};
