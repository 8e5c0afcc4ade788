/** Text from elsewhere on a terminal: console logs, labels of disks, host names. */

/** Colours (ECMA-48, 8.3.117, SGR) change nothing but how text looks; some of them are ours. */
const COLOUR = String.raw`(\x1b\[[0-9;]*m)`;
const CONTROL = new RegExp(String.raw`${COLOUR}|[^\P{Cc}\n\t]`, 'gu');

/**
 * Makes control characters visible, so that what a machine says cannot move the cursor, change the title, or hide
 * lines: ESC becomes `␛`, as all get their picture (Unicode, block "Control Pictures").
 */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (character, colour: string | undefined) => colour ?? picture(character));
}

function picture(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '␡' : '�';
}
