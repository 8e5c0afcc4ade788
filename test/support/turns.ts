/** In what order test files begin. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { turnOf } from './turn-of.ts';

/** Half of all time. */
const LONGEST = /\/test\/install\/whole\.test\.ts$/;

/**
 * The longest first; beside it what needs no turn and what takes turns with others. Who waits for a turn occupies a place, so what would
 * wait for the longest comes last.
 */
export class Turns extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number =>
      LONGEST.test(moduleId) ? 0 : turnOf(moduleId) === 'engine' ? 3 : turnOf(moduleId) ? 2 : 1;
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
