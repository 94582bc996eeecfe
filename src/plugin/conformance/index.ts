/** The public door for whoever writes a plugin: the laws of each kind as named tests. */
export { type BankLawOptions, bankConformance } from './bank.ts';
export { type BankReport, formatBankReport, type ProbeOptions, probeBank } from './bank-probe.ts';
export { demand, demandFault, type Law } from './law.ts';
export { type ProtectableSubject, protectableConformance } from './protectable.ts';
export { type ProtectionScenario, type ProtectionSubject, protectionConformance } from './protection.ts';
