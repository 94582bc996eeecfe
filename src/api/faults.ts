import { Type } from 'typebox';
import { Fault, type FaultKind, faultText, toFault } from '../base/faults.ts';
import type { Log } from '../base/log.ts';
import { closed } from '../model/schema.ts';
import { rangeCode } from './ranges.ts';

/** The only file that knows which status a fault has. */
const statusOfKind: Readonly<Record<FaultKind, FaultStatus>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'over-quota': 413,
  unsupported: 501,
  unavailable: 503,
  timeout: 503,
  cancelled: 503,
  corrupt: 503,
  internal: 500,
};

/** Karbor's names; the single member of a fault body. */
const faultNames = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  416: 'rangeNotSatisfiable',
  424: 'computeFault',
  429: 'tooManyRequests',
  500: 'computeFault',
  501: 'notImplemented',
  503: 'serviceUnavailable',
} as const;

export type FaultStatus = keyof typeof faultNames;

export interface FaultAnswer {
  readonly status: FaultStatus;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Any thrown thing as Karbor's fault answer. What is no fault of ours (500) is logged with its cause, and the answer
 * tells nothing but where to look.
 */
export function toFaultAnswer(thrown: unknown, requestId: string, log: Log): FaultAnswer {
  const fault = fromHttpLayer(thrown) ?? toFault(thrown);
  if (fault.code === rangeCode)
    return { ...answer(416, faultText(fault)), headers: { 'content-range': `bytes */${fault.details['size_bytes']}` } };
  const status = statusOfCode.get(fault.code) ?? statusOfKind[fault.kind];
  if (status === 500) {
    log.error('A request met a defect.', { requestId, code: fault.code, error: fault });
    return answer(500, `Something went wrong inside the service. Its log has the cause under ${requestId}.`);
  }
  if (fault.code === 'api.too_many_requests') return answer(429, faultText(fault), String(fault.details['seconds']));
  if (status === 503) log.warn(fault.message, { requestId, code: fault.code, error: fault });
  return answer(status, faultText(fault), fault.kind === 'over-quota' && fault.code !== bodySizeCode ? '0' : undefined);
}

function answer(status: FaultStatus, message: string, retryAfter?: string): FaultAnswer {
  return {
    status,
    headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
    // What is undefined is left out.
    body: JSON.stringify({ [faultNames[status]]: { code: status, message, retryAfter } }),
  };
}

const bodySizeCode = 'api.body_too_large';
const encodingCode = 'api.unknown_encoding';

/** Those that do not follow from the kind. */
const statusOfCode: ReadonlyMap<string, FaultStatus> = new Map([
  [encodingCode, 415],
  ['trigger.in_use', 424],
]);

/** A body that is compressed or otherwise encoded: the one case of 415. */
export function unknownEncoding(encoding: string): Fault {
  return new Fault('invalid', encodingCode, `The body has content encoding ${encoding}.`, { help: 'Send it as it is.' });
}

/** What Fastify itself refuses: it throws its own errors, each with a status. */
function fromHttpLayer(thrown: unknown): Fault | undefined {
  if (thrown instanceof Fault || !(thrown instanceof Error)) return undefined;
  const status = 'statusCode' in thrown ? thrown.statusCode : undefined;
  if (status === 413) {
    return new Fault('over-quota', bodySizeCode, 'The body is larger than this service takes.', { cause: thrown });
  }
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined;
  return new Fault('invalid', 'api.malformed_request', `The request is malformed: ${thrown.message}.`, { cause: thrown });
}

const exampleMessages: Readonly<Record<number, string>> = {
  400: 'plan.resources must be a list.',
  401: 'The request you have made requires authentication.',
  403: "Policy doesn't allow plan:delete to be performed.",
  404: 'Plan c41d9e7a-52f6-4f0e-8a3f-6f1f9d0c7b25 could not be found.',
  409: 'The checkpoint is being restored.',
  413: 'The project has 50 of 50 plans.',
  415: 'The body has content encoding gzip.',
  416: 'The file has 15 bytes.',
  424: 'A scheduled operation uses the trigger.',
  429: 'There are too many requests of this caller. Try again in 2 s.',
  501: 'Files of a block volume cannot be listed.',
  503: 'The bank of provider north does not answer.',
};

const detail = closed({
  code: Type.Integer(),
  message: Type.String(),
  retryAfter: Type.Optional(Type.String({ description: 'Seconds as text; with quotas and limits only.' })),
});

const keystoneDetail = closed({ code: Type.Integer(), title: Type.String(), message: Type.String() });

/** Status → the schema of its body, a named component each. A refused token has the token middleware's own shape. */
export const faultSchemas = new Map(
  Object.entries(faultNames).map(([status, name]) => {
    const options = {
      $id: `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      description: `Fault \`${name}\`.`,
      examples: [exampleOf(Number(status), name)],
    };
    const members =
      status === '401' ? { [name]: Type.Optional(detail), error: Type.Optional(keystoneDetail) } : { [name]: detail };
    return [Number(status), closed(members, options)];
  }),
);

function exampleOf(status: number, name: string): unknown {
  const told = { code: status, message: exampleMessages[status] ?? '' };
  if (status === 401) return { error: { ...told, title: 'Unauthorized' } };
  return { [name]: status === 413 || status === 429 ? { ...told, retryAfter: status === 413 ? '0' : '2' } : told };
}
