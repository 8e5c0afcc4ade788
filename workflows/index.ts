/** Everything that is registered with Temporal as a workflow. */
export { buildImage } from './build-image.ts';
export { installMachine } from './install-machine.ts';
export { runMachine } from './run-machine.ts';
