/** `iguana machine` and `iguana boot ipxe` as operators use them, beside a gateway that runs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { signingRequest } from '../../worker/enrolment/signing-request.ts';
import { CommandLine } from '../client/command.ts';
import { Https } from './harness/https.ts';
import { GatewaySite, machineIdOf, macOf, newKey } from './harness/site.ts';

let site: GatewaySite;
let gateway: Gateway;
let iguana: CommandLine;
beforeEach(async () => {
  site = new GatewaySite();
  gateway = await site.start();
  iguana = new CommandLine({ IGUANA_STATE: site.root });
});
afterEach(() => site.remove());

async function enrol(token: string, key = newKey()): Promise<number> {
  using https = new Https(gateway);
  const identity = { uuid: machineIdOf(1), macs: [macOf(1)], facts: { product_name: 'PowerEdge R640' } };
  return (await https.post('/v1/enrol', { csr: signingRequest(key), token, identity })).status;
}

it('makes a token, lets a machine in, locks it out, and approves its next key', async () => {
  const made = await iguana.json(['machine', 'token', 'create', '--name', 'rack7']);
  expect(made.documents).toMatchObject([{ caDigest: gateway.authority.digest, uses: 1 }]);
  const [{ token }] = made.documents as [{ token: string }];
  expect(await enrol(token)).toBe(200);
  expect((await iguana.run(['machine', 'token', 'ls'])).stdout).toMatch(/rack7 .* 1 of 1 .* until 20/);
  expect((await iguana.run(['machine', 'ls'])).stdout).toMatch(/000000000001 +enrolled .*PowerEdge R640/);

  expect((await iguana.run(['machine', 'revoke', machineIdOf(1)])).status).toBe(0);
  const key = newKey();
  expect(await enrol(token, key)).toBe(202);
  expect((await iguana.run(['machine', 'ls'])).stdout).toMatch(/000000000001 +waits: approval-required/);
  expect((await iguana.run(['machine', 'reject', machineIdOf(1)])).stdout).toMatch(
    /000000000001 .*127\.0\.0\.1/,
  );
  expect((await iguana.run(['machine', 'ls'])).stdout).not.toContain('waits');
  expect(await enrol(token, key)).toBe(202);
  expect(await iguana.run(['machine', 'approve', machineIdOf(1)])).toMatchObject({ status: 0 });
  expect(await enrol(token, key)).toBe(200);

  expect((await iguana.run(['machine', 'token', 'revoke', 'rack7'])).stdout).toBe('revoked rack7');
  expect(await enrol(token)).toBe(403);
});

it('prints a script for iPXE that tries again, of this gateway or of another, with a token from a file', async () => {
  const ipxe = ['boot', 'ipxe', '--server', 'https://gw.example:443', '--files', 'http://web.example/boot/'];
  const { digest } = gateway.authority;
  expect((await iguana.run(ipxe)).stdout).toBe(`#!ipxe
:start
kernel http://web.example/boot/vmlinuz initrd=initrd.img panic=60 iguana.server=https://gw.example:443 iguana.ca=${digest} quiet || goto again
initrd --name initrd.img http://web.example/boot/initrd.img || goto again
boot || goto again
:again
echo Iguana: the installer cannot be started; trying again
imgfree
sleep 10
goto start`);
  const other = `sha256:${'0'.repeat(64)}`;
  const tokenFile = join(site.root, 'token');
  await writeFile(tokenFile, 'secret-of-one-machine\n');
  const said = await new CommandLine().run([...ipxe, '--ca', other, '--token-file', tokenFile]);
  expect(said.stdout).toContain(` iguana.ca=${other} iguana.token=secret-of-one-machine quiet ||`);
});

it.each([
  ['machine approve nobody', 1, /approving machine nobody: no such key waits/],
  ['machine reject nobody', 1, /rejecting machine nobody: no such key waits/],
  ['machine reject --from 10.0.0.66', 1, /rejecting machines of 10\.0\.0\.66: no such key waits/],
  ['machine reject', 2, /neither a machine nor --from/],
  ['machine revoke nobody', 1, /revoking machine nobody: it has never enrolled/],
  ['machine token revoke nothing', 1, /revoking token nothing: there is none/],
  ['machine token create --uses 0', 2, /whole number from 1/],
])('%s: says what is wrong', async (line, status, message) => {
  const said = await iguana.run(line.split(' '));
  expect([said.status, said.stderr]).toEqual([status, expect.stringMatching(message)]);
});

it('says to start a server first, where no gateway has ever run', async () => {
  const said = await new CommandLine().run(['machine', 'token', 'create']);
  expect([said.status, said.stderr]).toEqual([1, expect.stringMatching(/iguana server start/)]);
});
