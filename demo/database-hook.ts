/**
 * What cloud 1's operator put on the allow-list for plans: `node database-hook.ts stop|start DIRECTORY PORT`.
 * The database is shut down while its point in time is taken, and comes up again whatever happened meanwhile.
 */
import { startDatabase, stopDatabase } from './postgres-server.ts';

const [action, directory, port] = process.argv.slice(2);
if (directory === undefined || port === undefined) throw new Error('Usage: database-hook.ts stop|start DIRECTORY PORT');
if (action === 'stop') await stopDatabase(directory);
else if (action === 'start') await startDatabase(directory, Number(port));
else throw new Error(`Unknown action ${action}: stop or start.`);
