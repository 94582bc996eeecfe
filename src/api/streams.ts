import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import type { Api } from './declare.ts';

export interface Streams {
  /** Fires when the client goes away before it has its whole answer, and when the service stops. */
  signalOf(reply: FastifyReply): AbortSignal;
  /**
   * The bytes as a body to send, once the first of them are there. A fault before that is thrown, and becomes an answer like any other; one in
   * the middle is logged and resets the connection, so that no client takes a part for the whole.
   */
  open(request: FastifyRequest, reply: FastifyReply, bytes: AsyncIterable<Buffer>): Promise<Readable>;
}

/** Nothing is read for a client that is not there, and none holds up a service that stops. */
export function createStreams(app: Api, log: Log): Streams {
  const open = new Map<FastifyReply, AbortController>();
  app.addHook('preClose', (done) => {
    for (const [reply, controller] of open) {
      controller.abort(new Fault('cancelled', 'api.stopping', 'The service is stopping.'));
      // A client that does not read would not let the stream notice.
      if (reply.raw.headersSent) reply.raw.destroy();
    }
    done();
  });

  return {
    signalOf(reply) {
      const controller = new AbortController();
      const end = (): void => {
        open.delete(reply);
        controller.abort(new Fault('cancelled', 'api.client_gone', 'The client has gone away.'));
      };
      open.set(reply, controller);
      if (reply.raw.closed) end();
      else reply.raw.once('close', end);
      return controller.signal;
    },

    async open(request, reply, bytes) {
      const iterator = bytes[Symbol.asyncIterator]();
      const first = await iterator.next();
      const rest = async function* (): AsyncGenerator<Buffer> {
        try {
          for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
        } catch (error) {
          if (!reply.raw.destroyed) log.error('An answer broke off in the middle.', { requestId: request.id, error });
          throw error;
        } finally {
          await iterator.return?.();
        }
      };
      return Readable.from(rest(), { objectMode: false, highWaterMark: 1 });
    },
  };
}
