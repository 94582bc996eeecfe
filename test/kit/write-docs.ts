/** `npm run docs:write`: the documents that are written from the code. */
import { writeFileSync } from 'node:fs';
import { faultDocument, surveyFaults } from './fault-list.ts';
import { absolutePath } from './source-tree.ts';

writeFileSync(absolutePath('src/FAULTS.md'), faultDocument(surveyFaults()));
