/**
 * Entry of the `iguana` command. Node may keep what it compiles, in the folder that the launcher names too: without its types
 * stripped and its code compiled anew each time, a command starts in half the time. Only what is loaded after this line is kept.
 */
import { enableCompileCache } from 'node:module';

// Where the folder cannot be written to, nothing is kept. Worker threads have it from the environment.
process.env.NODE_COMPILE_CACHE ??= new URL('../node_modules/.cache/node-compile', import.meta.url).pathname;
enableCompileCache(process.env.NODE_COMPILE_CACHE);
await import('./run.ts');
