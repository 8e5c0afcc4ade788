/** `node build-child.ts STATE IMAGE.json`: a builder in a process of its own, to be killed. Says each step on a line. */
import { readFile } from 'node:fs/promises';
import { manifestImageSchema } from '../../../manifest/schema/manifest.ts';
import { makeBuilder } from './images.ts';

const [state = '', file = ''] = process.argv.slice(2);
const builder = await makeBuilder(state);
const image = manifestImageSchema.parse(JSON.parse(await readFile(file, 'utf8')));
await builder.build(image, { onProgress: ({ step }) => console.log(`step ${step}`) });
