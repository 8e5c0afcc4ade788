/**
 * Records histories for the replay test from the server that runs here: node test/replay/record.ts NAME=WORKFLOW-ID …
 * writes test/histories/NAME.json. Names of mirrors and this clone's path are replaced: they are nobody's business, and
 * decide nothing.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { dataConverter } from '../../host/codec/data-converter.ts';
import { connectionSettings } from '../../host/connection.ts';
import { statePaths } from '../../host/state.ts';
import { readHistory } from '../support/read-history.ts';

const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REPOSITORY = /"uri":"[a-z]+:\/\/[^"]*"/g;

/** Payloads are base64 of JSON. */
function anonymous(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(anonymous);
  // Stack traces name files.
  if (typeof value === 'string') return value.replaceAll(ROOT, '');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key !== 'data' || typeof inner !== 'string') return [key, anonymous(inner)];
      const text = Buffer.from(inner, 'base64').toString('utf8');
      const clean = text.replace(REPOSITORY, '"uri":"http://mirror.example/debian"').replaceAll(ROOT, '');
      return [key, Buffer.from(clean).toString('base64')];
    }),
  );
}

const { connectionOptions, namespace } = await connectionSettings();
const connection = await Connection.connect(connectionOptions);
const client = new Client({ connection, namespace, dataConverter: dataConverter(statePaths()) });
for (const argument of process.argv.slice(2)) {
  const [name, workflowId] = argument.split('=');
  if (!name || !workflowId) throw new Error(`not NAME=WORKFLOW-ID: ${argument}`);
  const history = anonymous(JSON.parse(historyToJSON(await readHistory(client, workflowId))));
  writeFileSync(`${HISTORIES}/${name}.json`, `${JSON.stringify(history, null, 1)}\n`);
  console.log(`${name}.json`);
}
await connection.close();
