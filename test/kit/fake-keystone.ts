import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface FakeToken {
  readonly userId: string;
  readonly projectId?: string;
  readonly roles: readonly string[];
  /** Wall time, milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** As much of Keystone v3 as identity asks; what it holds can be changed at any time. */
export interface FakeKeystone {
  readonly url: string;
  readonly tokens: Map<string, FakeToken>;
  /** `METHOD path` of every request. */
  readonly asked: string[];
  readonly sockets: Set<unknown>;
  readonly password: string;
  /** Answers in place of the usual one; `hang`: none at all. */
  trouble: number | 'hang' | 'redirect' | 'garbage' | undefined;
  /** Forgets what it gave to the service. */
  revokeService(): void;
  close(): Promise<void>;
}

export async function startFakeKeystone(): Promise<FakeKeystone> {
  const services = new Set<string>();
  const server = createServer((request, response) => void answer(request, response));
  const self: FakeKeystone = {
    url: '',
    tokens: new Map(),
    asked: [],
    sockets: new Set(),
    password: 'keystone-canary',
    trouble: undefined,
    revokeService: () => services.clear(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    self.asked.push(`${request.method} ${request.url}`);
    self.sockets.add(request.socket);
    const body = Buffer.concat(await request.toArray()).toString();
    const send = (status: number, content: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(content));
    };
    if (self.trouble === 'hang') return;
    if (self.trouble === 'redirect') return send(302, {}, { location: `${self.url}/elsewhere` });
    if (self.trouble === 'garbage') return send(200, { token: { user: 'x' } });
    if (self.trouble !== undefined) return send(self.trouble, { error: { code: self.trouble } });
    if (request.method === 'POST') {
      if (!body.includes(self.password)) return send(401, {});
      const token = `service-${services.size}-${self.asked.length}`;
      services.add(token);
      return send(201, { token: { expires_at: '2031-03-10T00:00:00.000000Z' } }, { 'x-subject-token': token });
    }
    const asker = String(request.headers['x-auth-token']);
    const subject = String(request.headers['x-subject-token']);
    const found = self.tokens.get(subject);
    if (!services.has(asker) && !(asker === subject && found !== undefined)) return send(401, {});
    if (found === undefined) return send(404, {});
    const { userId, projectId, roles, expiresAt } = found;
    send(200, {
      token: {
        expires_at: new Date(expiresAt).toISOString(),
        user: { id: userId, domain: { id: 'default' } },
        roles: roles.map((name) => ({ name })),
        ...(projectId === undefined ? {} : { project: { id: projectId, domain: { id: 'default' } } }),
      },
    });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.');
  return Object.assign(self, { url: `http://127.0.0.1:${address.port}/v3` });
}
