/** The public door for plugins: everything a plugin may use, and all that a plugin in this tree uses. */

export { throwIfAborted } from '../base/abort.ts';
export { canonicalJson, type Json } from '../base/canonical-json.ts';
export { isoTime, sleep, systemClock } from '../base/clock.ts';
export { Fault, type FaultKind, faultText, isFault, toFault } from '../base/faults.ts';
export { canonicalUuid, isUuidLike, newId, uuidV5 } from '../base/ids.ts';
export type { Log } from '../base/log.ts';
export { joinBody } from '../storage/body.ts';
export { existsFault, missingFault, shortFault, storeFault, tooLargeFault } from '../storage/faults.ts';
export { checkKey, checkPrefix, isKey } from '../storage/keys.ts';
export type {
  Body,
  CallOptions,
  Finding,
  GetOptions,
  ListOptions,
  ObjectEntry,
  ObjectStat,
  ObjectStore,
  PutOptions,
  StoreAbilities,
} from '../storage/object-store.ts';
export {
  type BankPlugin,
  defineBankPlugin,
  defineProtectablePlugin,
  defineProtectionPlugin,
  type NamedVolume,
  type Plugin,
  type PluginContext,
  type ProtectablePlugin,
  type ProtectionPlugin,
} from './define.ts';
export type * from './mover.ts';
export type { Protectable, ProtectableRequest, Resource } from './protectable.ts';
export type * from './protection.ts';
