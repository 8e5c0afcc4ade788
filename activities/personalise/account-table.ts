/** Files of lines with fields between colons: passwd(5), group(5), shadow(5), subuid(5). */

/** The fields of one line; the first is the name. */
export type Row = string[];

/** @returns the rows of a file; empty lines are left out */
export function splitTable(text: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':'));
}

/** @returns the text of a file */
export function renderTable(rows: readonly Row[]): string {
  return rows.map((row) => `${row.join(':')}\n`).join('');
}
