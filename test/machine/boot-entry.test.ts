/** The boot entry that a machine's kernel is loaded by. */
import { expect, it } from 'vitest';
import { parseEntry } from '../../activities/handoff/load-kernel.ts';

it('gives kernel, initrd and command line as the loader would take them', () => {
  const text =
    'title      debian 13\nversion    6.12\noptions    root=UUID=1-2 rw console=ttyS0\nlinux      /t/6.12/linux\ninitrd     /t/6.12/initrd.img\n';
  expect(parseEntry(text)).toEqual({
    options: 'root=UUID=1-2 rw console=ttyS0',
    linux: 't/6.12/linux',
    initrd: 't/6.12/initrd.img',
  });
  expect(parseEntry('# linux /no\ntitle x\n')).toEqual({});
});
