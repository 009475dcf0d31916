/** `npm run docs`: writes the reference pages that are generated from the code. */
import { writeFileSync } from 'node:fs';
import { root } from '../support/imports.ts';
import { referencePages } from './pages.ts';

for (const [path, text] of Object.entries(referencePages())) {
  writeFileSync(root + path, text);
  console.log(path);
}
