/** Checks of programs: Node, npm packages, Debian packages, Temporal, the engine and its images. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { agentImageTag } from '../containers/agent.ts';
import { builderImageTag } from '../containers/builder.ts';
import { packagesOf } from '../containers/debian.ts';
import { hasImage } from '../containers/image.ts';
import type { Engine } from '../engine/connect.ts';
import { openEngine } from '../engine/open.ts';
import { findExecutable } from '../find-executable.ts';
import type { StatePaths } from '../state.ts';
import { findTemporal } from '../temporal/supply.ts';
import { type Check, missing, ok, warning, words } from './check.ts';

const SOURCES = new URL('../../', import.meta.url);
const SETUP = '`sh setup/setup.sh` installs it';
/** Oldest Node that strips types and knows zstd, as package.json says too. */
const OLDEST_NODE = 26;

/** Node itself. */
export async function checkNode(): Promise<Check> {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= OLDEST_NODE
    ? ok('Node', process.version)
    : missing('Node', process.version, `Node ${OLDEST_NODE} or later is needed: ${SETUP}`);
}

/** The npm packages, against the lock file. */
export async function checkNpmPackages(): Promise<Check> {
  const stamp = new URL('node_modules/.iguana-package-lock.json', SOURCES);
  const lock = await readFile(new URL('package-lock.json', SOURCES), 'utf8');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === lock) return ok('npm packages', 'as locked');
  return warning('npm packages', 'not those of package-lock.json', SETUP);
}

/** Debian packages of setup/packages-debian.txt. */
export async function checkDebianPackages(): Promise<Check> {
  const name = 'system packages';
  if (!(await findExecutable('dpkg-query'))) {
    return warning(name, 'this is no Debian', `install by hand what setup/packages-debian.txt lists`);
  }
  const list = await readFile(new URL('setup/packages-debian.txt', SOURCES), 'utf8');
  const wanted = packagesOf(list);
  const { stdout } = await promisify(execFile)('dpkg-query', [
    '-W',
    '-f',
    `\${Package} \${db:Status-Status}\n`,
  ]);
  const installed = new Set(stdout.split('\n').filter((line) => line.endsWith(' installed')));
  const absent = wanted.filter((one) => !installed.has(`${one} installed`));
  if (absent.length === 0) return ok(name, `all ${wanted.length}`);
  return missing(name, `without ${absent.join(', ')}`, `apt-get install ${absent.join(' ')}`);
}

/** Temporal's CLI with the server in it. */
export async function checkTemporal(paths: StatePaths): Promise<Check> {
  try {
    const cli = await findTemporal(paths);
    if (cli) return ok('Temporal', `${cli.version}, ${cli.path}`);
    return missing('Temporal', 'no CLI', `${SETUP}; or name one in IGUANA_TEMPORAL`);
  } catch (error) {
    return missing('Temporal', words(error), 'correct or unset IGUANA_TEMPORAL');
  }
}

/** The engine, and what Iguana keeps in it. */
export async function checkEngine(paths: StatePaths): Promise<Check[]> {
  let engine: Engine;
  try {
    engine = await openEngine(paths);
  } catch (error) {
    return [missing('container engine', words(error), 'apt-get install podman runc')];
  }
  const images = { agent: await agentImageTag(), builder: builderImageTag() };
  const found = Object.entries(images).map(async ([name, tag]) =>
    (await hasImage(engine, tag))
      ? ok(`${name} container`, tag)
      : warning(`${name} container`, `${tag} is not made yet`, 'the next install makes it, in a minute'),
  );
  return [
    ok('container engine', `${engine.name} ${engine.version}, ${engine.address}`),
    ...(await Promise.all(found)),
  ];
}

/** What virtual machines need: QEMU and UEFI firmware. */
export async function checkVirtualMachines(): Promise<Check[]> {
  const qemu = await findExecutable('qemu-system-x86_64');
  const tool = await findExecutable('qemu-img');
  const firmware = ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_CODE.fd'].find(existsSync);
  const need = (name: string, path: string | undefined, from: string): Check =>
    path
      ? ok(name, path)
      : warning(name, 'not there', `apt-get install ${from}; only virtual machines need it`);
  return [
    need('QEMU', qemu, 'qemu-system-x86'),
    need('qemu-img', tool, 'qemu-utils'),
    need('UEFI firmware', firmware, 'ovmf'),
  ];
}
