import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { canonicalUuid } from '../../base/ids.ts';
import { contentsEntrySchema, toContentsEntryJson } from '../../model/contents.ts';
import { uuid } from '../../model/schema.ts';
import type { ContentsBytes, ContentsOf, Protection } from '../../protection/contract.ts';
import { type Api, answers, bytesAnswers, pathSchema, projectPath } from '../declare.ts';
import { linksSchema, nextLink, readLimit } from '../paging.ts';
import { answerBytes, attachment } from '../ranges.ts';
import type { Streams } from '../streams.ts';

const tags = ['contents'];
const config = { rule: 'provider:checkpoint_contents' } as const;
const path = `${projectPath}/providers/:provider_id/checkpoints/:checkpoint_id/resources/:resource_id`;

const params = pathSchema({
  provider_id: uuid,
  checkpoint_id: uuid,
  resource_id: Type.String({ description: "As the checkpoint's `resources` have it." }),
});

const typeMember = {
  type: Type.Optional(
    Type.String({ description: 'Type of the resource; needed only where two of the checkpoint have the same id.' }),
  ),
};

const octets = 'application/octet-stream';
const tarType = 'application/x-tar';

const pathText =
  'From the root of the directory, as `path` of an entry: UTF-8, other bytes as `%XX`, escaped for a URL like any text. Slashes at its ends do not matter.';

const rangeHeaders = Type.Object({
  range: Type.Optional(
    Type.String({ description: 'One part: `bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT`.', examples: ['bytes=0-1023'] }),
  ),
  'if-range': Type.Optional(Type.String({ description: 'The `ETag` that the range belongs to; all is sent if it is another.' })),
  'if-none-match': Type.Optional(Type.String({ description: '`ETag`s of what the client has.' })),
});

const readable = 'The checkpoint has to be `available`, or the resource in it if it is `error`.';
const broken = 'Damage found in the middle resets the connection: a body that ends as announced is whole and checked.';
const ranged = `Whole, or a part of it; \`HEAD\` answers without the bytes. ${broken}`;

/** What a checkpoint holds, read where it lies: not in Karbor. */
export function addContentsRoutes(app: Api, { contents }: Protection, streams: Streams, maxLimit: number): void {
  app.get(
    `${path}/entries`,
    {
      config,
      schema: {
        operationId: 'listContents',
        tags,
        summary: 'List a directory in a checkpoint',
        description: `One page of it, in the byte order of names. Costs the same for a small directory and for one among millions of files. ${readable}`,
        params,
        querystring: Type.Object({
          path: Type.Optional(Type.String({ description: `${pathText} The root if absent.` })),
          recursive: Type.Optional(Type.Boolean({ description: 'Each directory is followed by everything in it.' })),
          marker: Type.Optional(Type.String({ description: '`path` of the last entry of the page before.' })),
          limit: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Page size; more than the server allows is reduced to what it allows.' }),
          ),
          ...typeMember,
        }),
        response: answers(
          Type.Object({ entries: Type.Array(contentsEntrySchema), entries_links: Type.Optional(linksSchema) }),
          404,
          501,
        ),
      },
    },
    async (request, reply) => {
      const { path: wanted = '', recursive = false, marker, type } = request.query;
      const limit = readLimit(request.query, maxLimit);
      const page = { path: wanted, recursive, limit, ...(marker === undefined ? {} : { marker }) };
      const entries = await contents.list(request.caller, of(request.params, type), page, streams.signalOf(reply));
      const marks = entries.map((entry) => ({ id: entry.path }));
      return { entries: entries.map(toContentsEntryJson), ...nextLink(request, 'entries_links', marks, limit) };
    },
  );

  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: `${path}/file`,
      config,
      schema: {
        operationId: method === 'GET' ? 'getContentsFile' : 'headContentsFile',
        hide: method === 'HEAD',
        tags,
        summary: 'Fetch a file of a checkpoint',
        description: `One file out of a directory; a hard link is the file, a symlink is not followed. ${readable} ${ranged}`,
        params,
        querystring: Type.Object({ path: Type.String({ description: pathText }), ...typeMember }),
        headers: rangeHeaders,
        response: bytesAnswers(octets, true, 404, 416, 501),
      },
      handler: async (request, reply) => {
        const { type, path: wanted } = request.query;
        const signal = streams.signalOf(reply);
        const file = await contents.getFile(request.caller, of(request.params, type), wanted, signal);
        return sendBytes(request, reply, file, signal);
      },
    });

    app.route({
      method,
      url: `${path}/raw`,
      config,
      schema: {
        operationId: method === 'GET' ? 'getContentsRaw' : 'headContentsRaw',
        hide: method === 'HEAD',
        tags,
        summary: 'Fetch the bytes of a volume in a checkpoint',
        description: `As they were in the image or device (a qcow2 file is the file), zeros where there was nothing. ${readable} ${ranged}`,
        params,
        querystring: Type.Object(typeMember),
        headers: rangeHeaders,
        response: bytesAnswers(octets, true, 404, 416, 501),
      },
      handler: async (request, reply) => {
        const signal = streams.signalOf(reply);
        const volume = await contents.getVolume(request.caller, of(request.params, request.query.type), signal);
        return sendBytes(request, reply, volume, signal);
      },
    });
  }

  app.get(
    `${path}/tar`,
    {
      config,
      schema: {
        operationId: 'getContentsTar',
        tags,
        summary: 'Fetch a directory of a checkpoint as a tar',
        description: `A POSIX (pax) archive with everything that was recorded: owners, times to the nanosecond, links, devices, extended attributes (restore them with \`tar --xattrs --xattrs-include='*'\`). A sparse file comes with all its zeros. ${readable} ${broken}`,
        params,
        querystring: Type.Object({
          path: Type.Optional(Type.String({ description: `${pathText} The root if absent.` })),
          ...typeMember,
        }),
        response: bytesAnswers(tarType, false, 404, 501),
      },
    },
    async (request, reply) => {
      const { type, path: wanted = '' } = request.query;
      const archive = await contents.getArchive(request.caller, of(request.params, type), wanted, streams.signalOf(reply));
      const body = await streams.open(request, reply, archive.bytes);
      return reply.headers({ 'content-type': tarType, 'content-disposition': attachment(archive.name) }).send(body);
    },
  );

  async function sendBytes(request: FastifyRequest, reply: FastifyReply, bytes: ContentsBytes, signal: AbortSignal) {
    const { status, headers, range } = answerBytes(request.headers, bytes.sizeBytes, bytes.contentId);
    const isSent = range !== undefined && request.method !== 'HEAD';
    // Before the head: what cannot be read is a fault, not bytes.
    const body = isSent ? await streams.open(request, reply, bytes.read(range, signal)) : undefined;
    const kind = range === undefined ? {} : { 'content-type': octets, 'content-disposition': attachment(bytes.name) };
    return reply
      .code(status)
      .headers({ ...headers, ...kind })
      .send(body);
  }
}

function of(ids: { provider_id: string; checkpoint_id: string; resource_id: string }, type: string | undefined): ContentsOf {
  return {
    providerId: canonicalUuid(ids.provider_id),
    checkpointId: canonicalUuid(ids.checkpoint_id),
    resourceId: ids.resource_id,
    ...(type === undefined ? {} : { type }),
  };
}
