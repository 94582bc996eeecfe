import { sleep } from '../../src/base/clock.ts';

/** The answers of the API as far as the demo and the end-to-end tests read them. */
export interface ApiProgress {
  readonly done_bytes: number;
  readonly total_bytes: number;
  readonly stored_bytes: number;
  readonly reused_bytes: number;
  readonly bytes_per_second: number;
  readonly seconds_left: number | null;
  readonly step: string;
  readonly steps_done: number;
  readonly steps_total: number;
}

export interface ApiInstance {
  readonly id: string;
  readonly type: string;
  readonly name: string;
}

export interface ApiProvider {
  readonly id: string;
  readonly name: string;
}

export interface ApiPlan {
  readonly id: string;
  readonly name: string;
  readonly provider_id: string;
}

export interface ApiCheckpoint {
  readonly id: string;
  readonly status: string;
  readonly created_at: string | null;
  readonly protection_plan: { readonly id: string; readonly name: string; readonly resources: readonly ApiInstance[] };
  readonly progress?: ApiProgress | null;
}

export interface ApiRestore {
  readonly id: string;
  readonly status: string;
  readonly resources_status: Readonly<Record<string, string>>;
  readonly resources_reason: Readonly<Record<string, string>>;
  readonly progress?: ApiProgress | null;
}

export interface ApiOperationLog {
  readonly id: string;
  readonly operation_type: string;
  readonly checkpoint_id: string | null;
  readonly restore_id: string | null;
  readonly status: string;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly error_info: string | null;
  /** JSON text. */
  readonly extra_info: string | null;
}

export interface NewApiPlan {
  readonly name: string;
  readonly description?: string;
  readonly provider_id: string;
  readonly resources: readonly ApiInstance[];
  readonly parameters: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
  readonly hooks?: { readonly pre?: string; readonly post?: string };
}

export interface NewApiRestore {
  readonly provider_id: string;
  readonly checkpoint_id: string;
  readonly parameters: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>;
}

/** An answer that is not 200: `status` and the text of the fault. */
class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type OnProgress = (progress: ApiProgress) => void;

export interface KarriClient {
  readonly projectId: string;
  /** Any call below `/v1/PROJECT`. @throws ApiError */
  call<Answer>(method: string, path: string, body?: unknown): Promise<Answer>;
  listProviders(): Promise<ApiProvider[]>;
  listProtectables(): Promise<string[]>;
  listInstances(type: string): Promise<ApiInstance[]>;
  createPlan(plan: NewApiPlan): Promise<ApiPlan>;
  createCheckpoint(plan: ApiPlan): Promise<ApiCheckpoint>;
  /** Newest first. */
  listCheckpoints(providerId: string): Promise<ApiCheckpoint[]>;
  getCheckpoint(providerId: string, id: string): Promise<ApiCheckpoint>;
  createRestore(restore: NewApiRestore): Promise<ApiRestore>;
  getRestore(id: string): Promise<ApiRestore>;
  listOperationLogs(filter: Readonly<Record<string, string>>): Promise<ApiOperationLog[]>;
  /** Asks again and again until the checkpoint is no longer `protecting`. */
  waitForCheckpoint(providerId: string, id: string, onProgress?: OnProgress): Promise<ApiCheckpoint>;
  /** Asks again and again until the restore is no longer `in_progress`. */
  waitForRestore(id: string, onProgress?: OnProgress): Promise<ApiRestore>;
}

export interface ClientOptions {
  /** `http://127.0.0.1:8799` */
  readonly url: string;
  readonly projectId: string;
  readonly userId: string;
  readonly pollMs?: number;
}

/** A client of the `noauth` strategy: the token is `USER:PROJECT`. */
export function createKarriClient(options: ClientOptions): KarriClient {
  const { url, projectId, userId, pollMs = 100 } = options;

  const call = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers: Record<string, string> = { 'x-auth-token': `${userId}:${projectId}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(`${url}/v1/${projectId}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new ApiError(response.status, `${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as Answer;
  };

  const getCheckpoint = async (providerId: string, id: string): Promise<ApiCheckpoint> =>
    (await call<{ checkpoint: ApiCheckpoint }>('GET', `/providers/${providerId}/checkpoints/${id}`)).checkpoint;
  const getRestore = async (id: string): Promise<ApiRestore> =>
    (await call<{ restore: ApiRestore }>('GET', `/restores/${id}`)).restore;

  return {
    projectId,
    call,
    listProviders: async () => (await call<{ providers: ApiProvider[] }>('GET', '/providers')).providers,
    listProtectables: async () => (await call<{ protectable_type: string[] }>('GET', '/protectables')).protectable_type,
    listInstances: async (type) =>
      (await call<{ instances: ApiInstance[] }>('GET', `/protectables/${encodeURIComponent(type)}/instances`)).instances,
    createPlan: async (plan) => (await call<{ plan: ApiPlan }>('POST', '/plans', { plan })).plan,
    createCheckpoint: async (plan) =>
      (
        await call<{ checkpoint: ApiCheckpoint }>('POST', `/providers/${plan.provider_id}/checkpoints`, {
          checkpoint: { plan_id: plan.id },
        })
      ).checkpoint,
    listCheckpoints: async (providerId) =>
      (await call<{ checkpoints: ApiCheckpoint[] }>('GET', `/providers/${providerId}/checkpoints`)).checkpoints,
    getCheckpoint,
    createRestore: async (restore) => (await call<{ restore: ApiRestore }>('POST', '/restores', { restore })).restore,
    getRestore,
    listOperationLogs: async (filter) =>
      (await call<{ operation_logs: ApiOperationLog[] }>('GET', `/operation_logs?${new URLSearchParams(filter)}`)).operation_logs,
    waitForCheckpoint: (providerId, id, onProgress) =>
      pollUntilOver(() => getCheckpoint(providerId, id), 'protecting', pollMs, onProgress),
    waitForRestore: (id, onProgress) => pollUntilOver(() => getRestore(id), 'in_progress', pollMs, onProgress),
  };
}

async function pollUntilOver<Shown extends { readonly status: string; readonly progress?: ApiProgress | null }>(
  get: () => Promise<Shown>,
  busy: string,
  pollMs: number,
  onProgress: OnProgress | undefined,
): Promise<Shown> {
  for (;;) {
    const shown = await get();
    if (shown.progress) onProgress?.(shown.progress);
    if (shown.status !== busy) return shown;
    await sleep(pollMs);
  }
}
