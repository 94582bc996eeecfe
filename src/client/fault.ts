import type { components } from './document.ts';

type Nouns = components['schemas'];

/** Karbor's names of faults: the single member of a fault's body. */
export type FaultName =
  | keyof Nouns['BadRequest']
  | keyof Nouns['Unauthorized']
  | keyof Nouns['Forbidden']
  | keyof Nouns['ItemNotFound']
  | keyof Nouns['OverLimit']
  | keyof Nouns['BadMediaType']
  | keyof Nouns['RangeNotSatisfiable']
  | keyof Nouns['ComputeFault']
  | keyof Nouns['TooManyRequests']
  | keyof Nouns['NotImplemented']
  | keyof Nouns['ServiceUnavailable'];

/** The service said no. `message` is what it said. */
export class KarriFault extends Error {
  override readonly name = 'KarriFault';
  readonly status: number;
  readonly fault: FaultName | 'unknown';
  /** The service's log has more under it. */
  readonly requestId: string | null;

  constructor(status: number, fault: FaultName | 'unknown', message: string, requestId: string | null) {
    super(message);
    this.status = status;
    this.fault = fault;
    this.requestId = requestId;
  }
}

/** No answer came, or only half of one; `cause` says why. */
export class KarriUnreachable extends Error {
  override readonly name = 'KarriUnreachable';
}

const names: ReadonlySet<string> = new Set<FaultName>([
  'badRequest',
  'unauthorized',
  'error',
  'forbidden',
  'itemNotFound',
  'overLimit',
  'badMediaType',
  'rangeNotSatisfiable',
  'computeFault',
  'tooManyRequests',
  'notImplemented',
  'serviceUnavailable',
]);

/** Reads an answer that is no good one; something between client and service may have written it. */
export async function readFault(response: Response): Promise<KarriFault> {
  const text = await response.text();
  const { status, headers } = response;
  const requestId = headers.get('x-openstack-request-id');
  const [name, told] = firstMember(text);
  const message = typeof told === 'object' && told !== null && 'message' in told ? String(told.message) : text.slice(0, 500);
  return new KarriFault(status, isFaultName(name) ? name : 'unknown', message || `The answer is ${status}.`, requestId);
}

function firstMember(text: string): [name: string, value: unknown] {
  try {
    const body: unknown = JSON.parse(text);
    return (typeof body === 'object' && body !== null ? Object.entries(body)[0] : undefined) ?? ['', undefined];
  } catch {
    // Not JSON: a proxy's page.
    return ['', undefined];
  }
}

function isFaultName(name: string): name is FaultName {
  return names.has(name);
}
