/** Writes an image in a process of its own, so that a test can kill it: node write-child.ts SOURCE TARGET */
import { describeImage } from '../../image/chunker.ts';
import { writeChunks } from '../../image/writer.ts';

const [source, target] = process.argv.slice(2);
if (!source || !target) throw new Error('two files are needed');
const { table } = await describeImage(source);
await writeChunks({ source, table, target, onProgress: ({ flushedBytes }) => console.log(flushedBytes) });
