import { readFileSync } from 'node:fs';
import fastify from 'fastify';

/** Fastify and nothing else, with the service's own answers from the file in the only argument; prints its address. */
const { list, plan } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as { list: object; plan: object };
const app = fastify();
app.get('/plans', async () => list);
app.post('/plans', async () => plan);
process.stdout.write(`${await app.listen({ port: 0, host: '127.0.0.1' })}\n`);
