/** Secrets for machines: each gets what the manifest of its own running install names, over its own connection, and nothing else. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { storeSecret } from '../../host/secrets.ts';
import { fetchSecret } from '../../worker/enrolment/fetch-secret.ts';
import { writeTlsFiles } from '../../worker/enrolment/tls-files.ts';
import { Fleet } from './harness/fleet.ts';
import { Https } from './harness/https.ts';
import type { EnrolledMachine } from './harness/site.ts';

const VALUE = '$y$j9T$of-ada$';

let fleet: Fleet;
let gateway: Gateway;
let machines = 0;
beforeAll(async () => {
  fleet = await Fleet.start();
  gateway = await fleet.site.start();
  for (const name of ['ada', 'bob']) await storeSecret(fleet.site, name, VALUE);
});
afterAll(() => fleet.stop());

const newMachine = (): Promise<EnrolledMachine> => fleet.site.machine(gateway, ++machines);

async function ask(machine: Partial<EnrolledMachine>, name: string) {
  const { certificate: cert, keyPem: key } = machine;
  using https = new Https(gateway, { ...(cert && key && { cert, key }) });
  const { status, headers, body } = await https.get(`/v1/secrets/${name}`);
  return { status, headers, text: body.toString() };
}

it('are given to the machine whose install names them, and are kept in no history and no log', async () => {
  const machine = await newMachine();
  const handle = await fleet.installNaming(machine, ['ada', 'gone']);
  expect(await ask(machine, 'ada')).toMatchObject({
    status: 200,
    text: VALUE,
    headers: { 'cache-control': 'no-store' },
  });
  expect(await ask(machine, 'gone')).toMatchObject({ status: 404 });
  expect(await fleet.history(handle)).not.toContain(VALUE);
  expect(JSON.stringify(fleet.site.log)).not.toContain(VALUE);
});

it('are refused where the install does not name them, and that is recorded', async () => {
  const machine = await newMachine();
  await fleet.installNaming(machine, ['ada']);
  expect(await ask(machine, 'bob')).toMatchObject({ status: 403 });
  expect(await ask(machine, '..%2Fgateway%2Fkeys.json')).toMatchObject({ status: 403 });
  expect(fleet.site.denials(machine.id)).toEqual(['/v1/secrets/:name secret']);
});

it('are refused to a machine without an install, to one whose install has ended, and to who is no machine', async () => {
  const machine = await newMachine();
  expect(await ask(machine, 'ada')).toMatchObject({ status: 403 });
  const handle = await fleet.installNaming(machine, ['ada']);
  expect(await ask(machine, 'ada')).toMatchObject({ status: 200 });
  await handle.signal('end');
  await handle.result();
  expect(await ask(machine, 'ada')).toMatchObject({ status: 403 });
  expect(await ask({}, 'ada')).toMatchObject({ status: 401 });
});

it("are no other machine's", async () => {
  const [machine, other] = [await newMachine(), await newMachine()];
  await fleet.installNaming(machine, ['ada']);
  expect(await ask(other, 'ada')).toMatchObject({ status: 403 });
});

it('reach the agent, which fetches them with the certificate that it has now', async () => {
  const machine = await newMachine();
  await fleet.installNaming(machine, ['ada', 'gone']);
  const settings = {
    gateway: new URL(`https://127.0.0.1:${gateway.port}`),
    caDigest: gateway.authority.digest,
    folder: mkdtempSync(join(tmpdir(), 'iguana-gateway-')),
  };
  const { certificate: cert, keyPem: key } = machine;
  await writeTlsFiles(settings, { ca: gateway.authority.certificate, client: { cert, key } });
  expect(await fetchSecret(settings, 'ada')).toBe(VALUE);
  expect(await fetchSecret(settings, 'gone')).toBeUndefined();
  await expect(fetchSecret(settings, 'bob')).rejects.toThrow(/does not name this secret/);
});
