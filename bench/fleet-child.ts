/** One machine of bench/fleet: node fleet-child.ts REFERENCE TARGET. Says when it is ready, and writes when a line comes. */
import { once } from 'node:events';
import { readImage } from '../image/format/read-image.ts';
import { openSource } from '../image/transfer/open.ts';
import { writeImage } from '../image/write/writer.ts';

const [reference = '', target = ''] = process.argv.slice(2);
const source = openSource([reference]);
console.log('ready');
await once(process.stdin, 'data');
const before = process.cpuUsage();
const [part] = (await readImage(source)).parts;
if (!part) throw new Error(`${reference} has no part`);
// A machine of a fleet has its cores for itself; here they share two.
const { seconds } = await writeImage({ part: part.chunks, source, target, threads: 1 });
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 }));
await source.close();
process.stdin.destroy();
