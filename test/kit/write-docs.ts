/** `npm run docs:write`: the documents, or the parts of them, that are written from the code. */
import { writeFileSync } from 'node:fs';
import { faultDocument, surveyFaults } from './fault-list.ts';
import { withSettings } from './settings-table.ts';
import { absolutePath, readSource } from './source-tree.ts';

writeFileSync(absolutePath('src/FAULTS.md'), faultDocument(surveyFaults()));
writeFileSync(absolutePath('README.md'), withSettings(readSource('README.md')));
