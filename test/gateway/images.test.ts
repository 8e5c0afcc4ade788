/** Images of the store as OCI layouts: read by our own commands, and by skopeo as the files that they are. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Gateway } from '../../gateway/gateway.ts';
import { digestOf } from '../../image/digest.ts';
import { blobsOf, type ImageRecord } from '../../store/image-record.ts';
import { ImageStore } from '../../store/store.ts';
import { storeRoot } from '../../store/store-root.ts';
import { tlsFolder, writeTlsFiles } from '../../worker/enrolment/tls-files.ts';
import { CommandLine } from '../client/command.ts';
import { Https } from './harness/https.ts';
import { type EnrolledMachine, GatewaySite } from './harness/site.ts';

const hexOf = (digest: string): string => digest.slice('sha256:'.length);

let site: GatewaySite;
let gateway: Gateway;
let machine: EnrolledMachine;
let store: ImageStore;
let record: ImageRecord;
/** The image's layout, below the gateway. */
let layout: string;
beforeEach(async () => {
  site = new GatewaySite();
  gateway = await site.start();
  machine = await site.machine(gateway, 1);
  store = new ImageStore(site.store);
  await store.prepare();
  record = await storedImage();
  layout = `/images/${hexOf(record.imageDigest)}`;
});
afterEach(() => site.remove());

/** An image in the store, as a build leaves it. */
async function storedImage(): Promise<ImageRecord> {
  const put = async (name: string, bytes: Buffer | string) => {
    const path = join(store.workFolder, name);
    await writeFile(path, bytes);
    return await store.put(path);
  };
  const path = join(site.root, 'root.img');
  await writeFile(path, Buffer.concat([randomBytes(3_000_000), Buffer.alloc(5_388_608)]));
  const attachments = {
    esp: await put('a', 'esp'),
    files: await put('b', 'files'),
    sbom: await put('c', '{}'),
  };
  const folder = join(site.root, 'packing');
  const root = await storeRoot(store, { path, filesystem: 'ext4', attachments, folder });
  const made: ImageRecord = {
    version: 3,
    imageDigest: digestOf('profile'),
    ...root,
    packageCount: 0,
    createdAt: new Date().toISOString(),
  };
  await store.commit(made);
  return made;
}

const asMachine = () => new Https(gateway, { cert: machine.certificate, key: machine.keyPem });

it('are whole to who reads them with the certificate of a machine', async () => {
  const settings = {
    gateway: new URL(`https://localhost:${gateway.port}`),
    caDigest: gateway.authority.digest,
    folder: site.root,
  };
  const { certificate: cert, keyPem: key } = machine;
  await writeTlsFiles(settings, { ca: gateway.authority.certificate, client: { cert, key } });
  const reference = new URL(layout, settings.gateway).href;
  const iguana = new CommandLine();
  const read = await iguana.json(['image', 'verify', reference, '--cert-dir', tlsFolder(settings)]);
  expect(read).toMatchObject({
    status: 0,
    documents: [{ kind: 'image-verify', digest: record.image.digest }],
  });
  const unknown = await iguana.run([
    'image',
    'verify',
    reference,
    '--ca',
    join(tlsFolder(settings), 'ca.crt'),
  ]);
  expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining('401')]);
});

it('are layouts to skopeo, blob by blob', async () => {
  using https = asMachine();
  const folder = join(site.root, 'fetched');
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  for (const name of ['oci-layout', 'index.json']) {
    const { status, body } = await https.get(`${layout}/${name}`);
    expect(status).toBe(200);
    await writeFile(join(folder, name), body);
  }
  for (const { digest } of blobsOf(record)) {
    const name = `blobs/sha256/${hexOf(digest)}`;
    const { body } = await https.get(`${layout}/${name}`);
    expect(createHash('sha256').update(body).digest('hex')).toBe(hexOf(digest));
    await writeFile(join(folder, name), body);
  }
  const copy = join(site.root, 'copied');
  await execa('skopeo', [
    'copy',
    '--insecure-policy',
    '--preserve-digests',
    `oci:${folder}`,
    `oci:${copy}:one`,
  ]);
  const { stdout } = await execa('skopeo', ['inspect', '--raw', `oci:${copy}:one`], {
    stripFinalNewline: false,
  });
  expect(digestOf(stdout)).toBe(record.image.digest);
});

it('are given to machines only, whole, and nothing beside them', async () => {
  using stranger = new Https(gateway);
  using https = asMachine();
  const status = async (path: string, by = https) => (await by.get(path)).status;
  const blob = `blobs/sha256/${hexOf(record.image.digest)}`;
  for (const name of ['oci-layout', 'index.json', blob]) {
    expect([name, await status(`${layout}/${name}`, stranger)]).toEqual([name, 401]);
    expect([name, await status(`${layout}/${name}`)]).toEqual([name, 200]);
  }
  for (const path of [
    `${layout}/ingest`,
    `/images/${'0'.repeat(64)}/index.json`,
    '/images/..%2fimages/index.json',
    `${layout}/blobs/sha256/..%2f..%2fimages`,
  ]) {
    expect([path, await status(path)]).toEqual([path, 404]);
  }
  await rm(store.blobPath(record.esp.digest));
  expect(await status(`${layout}/index.json`)).toBe(404);
});
