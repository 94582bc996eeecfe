/** The public door for whoever writes a plugin: the laws of each kind as named tests. */
export { type BankLawOptions, bankConformance } from './bank.ts';
export { type Law, demand, demandFault } from './law.ts';
