/** A chunk table that cannot be kept in the folder for temporary files is no matter of the disk that is written, nor of the store. */
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { expect, it, vi } from 'vitest';
import { ioFailure } from '../../../../activities/disk/io-failure.ts';
import { imageFailure } from '../../../../activities/images/failures.ts';
import { readImage } from '../../../../image/format/read-image.ts';
import { openSource } from '../../../../image/transfer/open.ts';
import { folderWith } from '../../../image/servers/folder.ts';
import { largeImage } from '../../../image/write/large-image.ts';

it.each([
  ['of the image that is written', imageFailure],
  ['of a table that is read while a disk is written', ioFailure],
])('%s: the failure says where, and what to do', async (_which, failureOf) => {
  const folder = folderWith();
  largeImage(folder, { bulk: [], blocks: 2 ** 17 + 1000, firstBlock: 1, rightBlocks: 0 });
  const source = openSource([`oci:${folder}`]);
  vi.stubEnv('TMPDIR', join(folder, 'gone'));
  try {
    const error = await readImage(source).catch((cause: unknown) => cause);
    const failure = failureOf(error, 'writing root');
    if (!(failure instanceof ApplicationFailure)) throw new Error('it is no failure of the catalogue');
    expect(failure).toMatchObject({ type: 'ImageUnavailable', nonRetryable: false });
    expect(failure.message).toMatch(/^writing root: .*keeping it in .*gone.*ENOENT/);
    expect(failure.details).toEqual([{ remedy: expect.stringMatching(/TMPDIR/) }]);
  } finally {
    vi.unstubAllEnvs();
    await source.close();
  }
});
