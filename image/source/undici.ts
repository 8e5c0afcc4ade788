/** What is used of undici, under names that also exist where a bundler has put it, a CommonJS package, into a file of its own. */
export { Agent, request } from 'undici';
