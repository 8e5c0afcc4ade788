/**
 * Reads the original Iguana's workflow file for the boot image's shell, in the agent's container, and ends. It knows no server.
 *
 * Status 2: it is refused, and what to do has been said.
 *
 * `node workflow-file.js --plan FOLDER [--key FILE] URL`, or for a file of the boot image `--file FILE [--embedded]` instead of URL.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { prepareWorkflow } from '../activities/workflow-file/prepare.ts';
import { Refused } from '../activities/workflow-file/refused.ts';

/** Exit status by which the shell knows that everything has been said. */
const REFUSED = 2;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    plan: { type: 'string' },
    key: { type: 'string' },
    file: { type: 'string' },
    embedded: { type: 'boolean', default: false },
  },
});
const [address = ''] = positionals;
const { plan, key, file, embedded } = values;
if (plan === undefined) throw new Error('--plan FOLDER is missing');
const name = file ?? address;
try {
  const lines = await prepareWorkflow(
    {
      place: file === undefined ? { url: addressOf(address) } : { file, isEmbedded: embedded },
      key: key === undefined ? undefined : await readFile(key, 'utf8'),
    },
    plan,
  );
  console.log(lines.join('\n'));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.log(`refusing the workflow file ${name}: ${error.message}\nwhat to do: ${error.remedy}`);
  process.exitCode = REFUSED;
}

function addressOf(text: string): URL {
  const url = URL.parse(text);
  if (url && ['https:', 'http:'].includes(url.protocol) && !url.username && !url.password) return url;
  throw new Refused(
    'it is no address https://HOST/PATH without user and password',
    'correct rd.iguana.control_url',
  );
}
