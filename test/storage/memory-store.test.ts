import { bankConformance } from '../../src/plugin/conformance/bank.ts';
import { createMemoryStore } from '../../src/storage/memory-store.ts';
import { testLaws } from '../kit/laws.ts';

testLaws(
  'the memory store keeps the laws of a bank',
  bankConformance(async () => createMemoryStore()),
);
