import { expect, it } from 'vitest';
import { printable } from '../../client/output/printable.ts';

it.each([
  ['plain text\n\tstays', 'plain text\n\tstays'],
  ['Grüße, 磁盘, 🦎', 'Grüße, 磁盘, 🦎'],
  ['\u001b[31mred\u001b[0m', '\u001b[31mred\u001b[0m'],
  ['\u001b[2J\u001b[1;1Hall is well', '␛[2J␛[1;1Hall is well'],
  ['\u001b]0;title\u0007', '␛]0;title␇'],
  ['erase disk /dev/sdb\rkeep', 'erase disk /dev/sdb␍keep'],
  ['\u009b2J', '�2J'],
  ['back\bspace\u007f', 'back␈space␡'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});
