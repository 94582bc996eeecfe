import { Ajv } from 'ajv';
import type { Json } from '../../base/canonical-json.ts';
import { Fault } from '../../base/faults.ts';
import { newId } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import type { ProtectionPlugin } from '../define.ts';
import type { Mover, Written } from '../mover.ts';
import type { Resource } from '../protectable.ts';
import type {
  CopyCall,
  DeleteCall,
  HookName,
  Hooks,
  OperationCall,
  ProtectCall,
  Protection,
  RestoreCall,
  VerifyCall,
  VerifyReport,
} from '../protection.ts';
import { demand, demandFault, type Law } from './law.ts';

/** One resource on something that can be thrown away, and a mover whose bank can be looked into. */
export interface ProtectionScenario {
  readonly protection: Protection;
  readonly resource: Resource;
  readonly mover: Mover;
  /** Parameters under which a restore makes a new resource beside the original. */
  readonly restoreParameters: Readonly<Record<string, string>>;
  /** Snapshots that the mover keeps now. */
  listSnapshots(): Promise<readonly string[]>;
  /** Some digest of what the resource of that id holds now; undefined when there is none. */
  findDigest(id: string): Promise<string | undefined>;
  /** Everything that lies about and is no resource: half-restored things, marks. */
  listLeftovers(): Promise<readonly string[]>;
  /** The next restore of the mover throws this when it is half done, and leaves what it made. */
  failNextRestore(fault: Fault): void;
  /** From now on every verify of the mover finds this damage. */
  damage(lines: readonly string[]): void;
  /** Another snapshot with the content of this one, for the same mover. */
  copySnapshot(snapshot: string): Promise<Written>;
  /** Takes the resource away behind the plugin's back. */
  removeResource(): Promise<void>;
  close(): Promise<void>;
}

export interface ProtectionSubject {
  readonly plugin: Pick<ProtectionPlugin, 'schemas'>;
  /** Called once per law. */
  open(): Promise<ProtectionScenario>;
}

/** The laws of `plugin/protection.ts`: what a flow, its retries and its crashes rely on. */
export function protectionConformance(subject: ProtectionSubject): readonly Law[] {
  const law = (name: string, body: (bench: Bench) => Promise<string | undefined>): Law => ({
    name,
    run: async () => {
      const scenario = await subject.open();
      try {
        return await body({ ...scenario, schemas: subject.plugin.schemas });
      } finally {
        await scenario.protection.close();
        await scenario.close();
      }
    },
  });
  return [
    law('every schema can be published', publishedSchemas),
    law('what a protect saves fits the published schema', savedInfoFits),
    law('a restore makes an equal resource under the id it tells', restoreEqual),
    law('a protect that is repeated gives info that restores', protectTwice),
    law('a restore that is repeated finds its own work', restoreTwice),
    law('a restore that died half-way succeeds when it is repeated', restoreAfterCrash),
    law('complete may be repeated, and leaves the resource and nothing else', completeTwice),
    law('abandon takes away what a dead restore left, and may be repeated', abandonRestore),
    law('abandon of a restore that never began is fine', abandonEarly),
    law('a verify of sound bytes passes', verifySound),
    law('a verify of damaged bytes tells the damage', verifyDamaged),
    law('a copy restores equal, and needs nothing of its original', copyEqual),
    law('abandon of a copy takes away what it made, and may be repeated', abandonCopy),
    law('a delete leaves nothing in the bank, and may be repeated', deleteTwice),
    law('a delete of a protect that saved nothing is fine', deleteNothing),
    law('a delete that is taken back restores equal, and may be taken back twice', undeleteTwice),
    law('a protect of a resource that is gone is the fault not-found', protectVanished),
    law('saved info of somebody else is a corrupt fault', foreignSavedInfo),
    law('the snapshot that is told is one that the mover keeps', tellsSnapshot),
  ];
}

interface Bench extends ProtectionScenario {
  readonly schemas: ProtectionPlugin['schemas'];
}

async function publishedSchemas({ schemas, resource }: Bench): Promise<undefined> {
  const own = schemas[resource.type];
  demand(own !== undefined, `there are no schemas for ${resource.type}`);
  for (const [name, schema] of Object.entries(own)) {
    demand(schema.type === 'object' && schema.title !== '', `the ${name} schema has no title, or is not of type object`);
    for (const required of schema.required)
      demand(required in schema.properties, `the ${name} schema requires ${required} but does not describe it`);
    new Ajv({ strict: false }).compile({ ...schema });
  }
}

async function savedInfoFits(bench: Bench): Promise<undefined> {
  const saved = await protect(bench);
  const schema = bench.schemas[bench.resource.type]?.savedInfo;
  const validate = new Ajv({ strict: false, allErrors: true }).compile({ ...schema, additionalProperties: false });
  demand(validate(JSON.parse(JSON.stringify(saved))), `the saved info does not fit: ${JSON.stringify(validate.errors)}`);
}

async function restoreEqual(bench: Bench): Promise<undefined> {
  const before = await bench.findDigest(bench.resource.id);
  const restored = await restore(bench, await protect(bench));
  demand(restored.made !== undefined && restored.made !== bench.resource.id, `made() was told ${restored.made}`);
  demand((await bench.findDigest(restored.made)) === before, 'the restored resource differs');
  demand((await bench.findDigest(bench.resource.id)) === before, 'the original has changed');
}

async function protectTwice(bench: Bench): Promise<undefined> {
  const call = protectCall(bench);
  await runHooks(bench.protection.protect, call);
  const saved = (await runHooks(bench.protection.protect, call)).main;
  demand(saved !== undefined, 'main returned no saved info');
  const restored = await restore(bench, saved);
  demand(
    (await bench.findDigest(restored.made ?? '')) === (await bench.findDigest(bench.resource.id)),
    'the restored resource differs',
  );
}

async function restoreTwice(bench: Bench): Promise<undefined> {
  const { call, made } = restoreCall(bench, await protect(bench));
  await runHooks(bench.protection.restore, call, ['prepareBegin', 'prepareFinish', 'main']);
  const first = made();
  await runHooks(bench.protection.restore, call);
  demand(made() === first, `the first attempt made ${first}, the second ${made()}`);
  demand((await bench.findDigest(first ?? '')) === (await bench.findDigest(bench.resource.id)), 'the restored resource differs');
}

async function restoreAfterCrash(bench: Bench): Promise<undefined> {
  const { call, made } = restoreCall(bench, await protect(bench));
  await dieHalfWay(bench, call);
  await runHooks(bench.protection.restore, call);
  demand((await bench.findDigest(made() ?? '')) === (await bench.findDigest(bench.resource.id)), 'the restored resource differs');
  demandNothing(await bench.listLeftovers());
}

async function completeTwice(bench: Bench): Promise<undefined> {
  const { call, made } = restoreCall(bench, await protect(bench));
  const outcomes = await runHooks(bench.protection.restore, call);
  await bench.protection.restore.complete?.({ ...call, outcomes });
  demand((await bench.findDigest(made() ?? '')) !== undefined, 'the restored resource is gone');
  demandNothing(await bench.listLeftovers());
}

async function abandonRestore(bench: Bench): Promise<string | undefined> {
  const { restore: hooks } = bench.protection;
  if (hooks.abandon === undefined) return 'this plugin has no abandon';
  const { call } = restoreCall(bench, await protect(bench));
  await dieHalfWay(bench, call);
  await hooks.abandon(call);
  await hooks.abandon(call);
  demandNothing(await bench.listLeftovers());
  return undefined;
}

async function abandonEarly(bench: Bench): Promise<string | undefined> {
  const { restore: hooks } = bench.protection;
  if (hooks.abandon === undefined) return 'this plugin has no abandon';
  await hooks.abandon(restoreCall(bench, await protect(bench)).call);
  demandNothing(await bench.listLeftovers());
  return undefined;
}

async function verifySound(bench: Bench): Promise<string | undefined> {
  const { verify } = bench.protection;
  if (verify === undefined) return 'this plugin cannot verify';
  const report = await runVerify(bench, verify, await protect(bench));
  demand(report.damage_count === 0 && report.damages.length === 0, `damage was found: ${report.damages.join(' ')}`);
  demand(report.percent === 100 && report.digest !== null, 'without parameters not everything is read, or no digest is told');
  return undefined;
}

async function verifyDamaged(bench: Bench): Promise<string | undefined> {
  const { verify } = bench.protection;
  if (verify === undefined) return 'this plugin cannot verify';
  const saved = await protect(bench);
  bench.damage(['packs/ab/cd: authentication failed']);
  const report = await runVerify(bench, verify, saved);
  demand(report.damage_count === 1, `${report.damage_count} damages were counted, not 1`);
  demand(report.damages.join(' ').includes('packs/ab/cd'), `the damage is not named: ${report.damages.join(' ')}`);
  demand(report.digest === null, 'a digest is told of what is damaged');
  return undefined;
}

async function runVerify(bench: Bench, hooks: Hooks<VerifyCall, VerifyReport>, saved: Json): Promise<VerifyReport> {
  const { main } = await runHooks<VerifyCall>(hooks, { ...operationCall(bench), saved });
  demand(main !== undefined, 'main returned no report');
  return main as VerifyReport;
}

async function copyEqual(bench: Bench): Promise<string | undefined> {
  const { copy } = bench.protection;
  if (copy === undefined) return 'this plugin cannot copy';
  const saved = await protect(bench);
  const copied = (await runHooks(copy, copyCall(bench, saved))).main;
  demand(copied !== undefined, 'main returned no saved info');
  await runHooks<DeleteCall>(bench.protection.delete, { ...operationCall(bench), saved });
  const { made } = await restore(bench, copied);
  demand((await bench.findDigest(made ?? '')) === (await bench.findDigest(bench.resource.id)), 'the restored resource differs');
  return undefined;
}

async function abandonCopy(bench: Bench): Promise<string | undefined> {
  const { copy } = bench.protection;
  if (copy === undefined) return 'this plugin cannot copy';
  const call = copyCall(bench, await protect(bench));
  const before = await bench.listSnapshots();
  const outcomes = await runHooks(copy, call);
  await copy.abandon?.({ ...call, outcomes });
  await copy.abandon?.({ ...call, outcomes });
  await copy.abandon?.(call);
  const left = (await bench.listSnapshots()).filter((snapshot) => !before.includes(snapshot));
  demandNothing(left);
  return undefined;
}

async function undeleteTwice(bench: Bench): Promise<string | undefined> {
  const { delete: hooks, undelete } = bench.protection;
  if (undelete === undefined) return 'this plugin takes no deletion back';
  const call = { ...operationCall(bench), saved: await protect(bench) };
  await runHooks<DeleteCall>(hooks, call);
  await runHooks(undelete, call);
  await runHooks(undelete, call);
  const { made } = await restore(bench, call.saved);
  demand((await bench.findDigest(made ?? '')) === (await bench.findDigest(bench.resource.id)), 'the restored resource differs');
  return undefined;
}

async function deleteTwice(bench: Bench): Promise<undefined> {
  const saved = await protect(bench);
  const call: DeleteCall = { ...operationCall(bench), saved };
  await runHooks(bench.protection.delete, call);
  await runHooks(bench.protection.delete, call);
  demandNothing(await bench.listSnapshots());
}

async function deleteNothing(bench: Bench): Promise<undefined> {
  await runHooks<DeleteCall>(bench.protection.delete, { ...operationCall(bench), saved: undefined });
}

async function protectVanished(bench: Bench): Promise<undefined> {
  await bench.removeResource();
  const fault = await demandFault(protect(bench), (thrown) => thrown.kind === 'not-found', 'a protect of what is gone');
  demand(fault.message.includes(bench.resource.name), `the fault does not name the resource: ${fault.message}`);
  demandNothing(await bench.listSnapshots());
}

async function foreignSavedInfo(bench: Bench): Promise<undefined> {
  for (const saved of [null, 'text', [], {}, { snapshot: 7 }] satisfies Json[]) {
    await demandFault(restore(bench, saved), (fault) => fault.kind === 'corrupt', `a restore of ${JSON.stringify(saved)}`);
  }
  demandNothing(await bench.listLeftovers());
}

async function tellsSnapshot(bench: Bench): Promise<string | undefined> {
  const { protection, resource } = bench;
  if (protection.snapshotOf === undefined) return 'this plugin tells no snapshots';
  const told = protection.snapshotOf(await protect(bench), resource);
  demand(
    told === undefined || (await bench.listSnapshots()).includes(told.snapshot),
    `the mover keeps no snapshot ${told?.snapshot}`,
  );
  for (const saved of [null, 'text', [], {}, { snapshot: 7 }] satisfies Json[]) {
    const ask = async () => protection.snapshotOf?.(saved, resource);
    await demandFault(ask(), (fault) => fault.kind === 'corrupt', `the snapshot of ${JSON.stringify(saved)}`);
  }
  return undefined;
}

function operationCall(bench: Bench): OperationCall {
  return {
    stepId: `${newId()}/0`,
    projectId: 'conformance',
    userId: 'conformance',
    providerId: newId(),
    checkpointId: newId(),
    resource: bench.resource,
    parameters: {},
    outcomes: {},
    mover: bench.mover,
    signal: new AbortController().signal,
    log: silentLog,
  };
}

const protectCall = (bench: Bench): ProtectCall => operationCall(bench);

function copyCall(bench: Bench, saved: Json): CopyCall {
  const source = { providerId: newId(), checkpointId: newId() };
  return { ...operationCall(bench), source, saved, copySnapshot: (snapshot) => bench.copySnapshot(snapshot) };
}

function restoreCall(bench: Bench, saved: Json): { call: RestoreCall; made: () => string | undefined } {
  let made: string | undefined;
  const call: RestoreCall = {
    ...operationCall(bench),
    parameters: bench.restoreParameters,
    saved,
    newResources: new Map(),
    made: async (id) => {
      made = id;
    },
    restoreTarget: null,
  };
  return { call, made: () => made };
}

async function protect(bench: Bench): Promise<Json> {
  const saved = (await runHooks(bench.protection.protect, protectCall(bench))).main;
  demand(saved !== undefined, 'main returned no saved info');
  return saved;
}

async function restore(bench: Bench, saved: Json): Promise<{ readonly made: string | undefined }> {
  const { call, made } = restoreCall(bench, saved);
  await runHooks(bench.protection.restore, call);
  return { made: made() };
}

async function dieHalfWay(bench: Bench, call: RestoreCall): Promise<void> {
  bench.failNextRestore(new Fault('unavailable', 'conformance.died', 'The worker has died.'));
  await demandFault(runHooks(bench.protection.restore, call), 'conformance.died', 'a restore whose mover dies');
}

const allHooks: readonly HookName[] = ['prepareBegin', 'prepareFinish', 'main', 'complete'];

/** The hooks in order, each as a step of its own, as a flow runs them. */
async function runHooks<Call extends OperationCall>(
  hooks: Hooks<Call>,
  call: Call,
  names: readonly HookName[] = allHooks,
): Promise<Partial<Record<HookName, Json>>> {
  const outcomes: Partial<Record<HookName, Json>> = {};
  const operation = call.stepId.split('/')[0];
  for (const [number, name] of names.entries()) {
    const outcome = await hooks[name]?.({ ...call, stepId: `${operation}/${number}`, outcomes: { ...outcomes } });
    if (outcome !== undefined) outcomes[name] = JSON.parse(JSON.stringify(outcome)) as Json;
  }
  return outcomes;
}

function demandNothing(left: readonly string[]): void {
  demand(left.length === 0, `something is left: ${left.join(', ')}`);
}
