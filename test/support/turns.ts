/** In what order test files begin. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { runsBesideOthers } from './beside-others.ts';

/** Half of all time. */
const LONGEST = /\/test\/install\/whole\.test\.ts$/;

/** The longest first, and beside it whatever may: who waits for a turn occupies a place. */
export class Turns extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number =>
      LONGEST.test(moduleId) ? 0 : runsBesideOthers(moduleId) ? 1 : 2;
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
