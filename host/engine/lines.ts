/** Turning the output of a program into lines. */
import { Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Longest line that is passed on, characters: programs that print megabytes without a newline exist. */
const LONGEST_LINE = 4096;

/**
 * A stream that calls back for each line, without its end. Carriage returns end a line too, as progress bars use them;
 * empty lines are left out. What exceeds the longest line is dropped, and marked with an ellipsis.
 */
export function lineStream(onLine: (line: string) => void): Writable {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let cut = false;
  const emit = (): void => {
    if (rest) onLine(cut ? `${rest}…` : rest);
    rest = '';
    cut = false;
  };
  const add = (text: string): void => {
    const room = LONGEST_LINE - rest.length;
    cut ||= text.length > room;
    rest += text.slice(0, room);
  };
  const feed = (text: string): void => {
    const [first = '', ...others] = text.split(/[\r\n]/);
    add(first);
    for (const part of others) {
      emit();
      add(part);
    }
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      feed(decoder.write(chunk));
      done();
    },
    final(done) {
      feed(decoder.end());
      emit();
      done();
    },
  });
}
