/** `iguana boot`: what machines start from to install themselves. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { BootVariant } from '../../host/boot/system.ts';
import { authorityDigest } from '../../host/enrolment/authority-digest.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { statePaths } from '../../host/state.ts';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import { table } from '../output/table.ts';
import { action, type Call, define, group } from './define.ts';

interface BuildOptions {
  readonly folder: string;
  readonly variant: BootVariant;
  readonly agent?: string;
  readonly key?: string;
  readonly server?: string;
  readonly ca?: string;
}

interface IpxeOptions {
  readonly server: string;
  readonly files: string;
  readonly token?: string;
}

const SERVER = /^https:\/\/[^/\s]+$/;
const PULLED = /^[^\s/]+\/[^\s@]+@sha256:[0-9a-f]{64}$/;
const CA = /^sha256:[0-9a-f]{64}$/;

/** Adds the commands. */
export function registerBoot(program: Command): void {
  const boot = group(program, 'boot', 'make what machines start from');
  define(boot, {
    usage: 'build',
    summary: 'make the boot image: a kernel and an initrd that serve every machine',
    description:
      'Made of Debian 13 packages; the same packages and options give the same bytes. The agent is part of it, or is pulled from a\n' +
      'registry and must be signed by --key.',
    examples: [
      ['boot build -o boot', 'for virtual machines, told everything on the kernel command line'],
      ['boot build -o boot --variant generic --server https://10.0.0.1:7281', 'for real ones of this server'],
      ['boot build -o boot --agent registry.example/iguana/agent@sha256:… --key cosign.pub', 'agent pulled'],
    ],
  })
    .requiredOption('-o, --folder <folder>', 'where vmlinuz and initrd.img are put')
    .addOption(
      new Option('--variant <which>', 'drivers of virtual machines, or of real ones too')
        .choices(['virtual', 'generic'])
        .default('virtual'),
    )
    .option('--agent <image>', 'pull the agent from there, by digest; default: it is part of the boot image')
    .option('--key <file>', 'public key that must have signed the pulled agent')
    .option('--server <url>', 'address of the gateway; default: the kernel command line says it')
    .option('--ca <digest>', 'digest of its authority; default, with --server: that of this host’s gateway')
    .action(action(build));
  define(boot, {
    usage: 'ipxe',
    summary: 'print the iPXE script that starts machines with the boot image',
    examples: [['boot ipxe --server https://10.0.0.1:7281 --files http://10.0.0.1/boot --token …', '']],
  })
    .requiredOption('--server <url>', 'address of the gateway, as machines reach it')
    .requiredOption('--files <url>', 'where a web server has vmlinuz and initrd.img')
    .option('--token <token>', 'token with which the machines enrol; default: they wait for approval')
    .action(action(ipxe));
}

async function build({ output, options }: Call<BuildOptions>): Promise<undefined> {
  const { folder, variant, agent, key, server } = options;
  if (server !== undefined && !SERVER.test(server))
    throw usageError(`reading --server ${server}: it is no address like https://10.0.0.1:7281`);
  if (agent !== undefined && !PULLED.test(agent))
    throw usageError(`reading --agent ${agent}: it is no HOST/REPOSITORY@sha256:…`, {
      remedy: 'A tag may be moved: name the agent by its digest.',
    });
  if ((agent === undefined) !== (key === undefined))
    throw usageError('--agent and --key belong together: what is pulled must be signed');
  const ca = server === undefined ? options.ca : (options.ca ?? (await ownCa()));
  if (ca !== undefined && !CA.test(ca)) throw usageError(`reading --ca ${ca}: it is no digest sha256:…`);
  const [{ makeBootImage }, agentKey] = await Promise.all([
    import('../../host/boot/boot-image.ts'),
    key === undefined ? undefined : publicKey(key),
  ]);
  const made = await makeBootImage(statePaths(), {
    variant,
    baked: agent === undefined,
    folder: resolve(folder),
    onLine: (line) => output.note(line),
    ...(agent !== undefined && { agent }),
    ...(agentKey !== undefined && { agentKey }),
    ...(server !== undefined && { server }),
    ...(ca !== undefined && { ca }),
  });
  output.result({ kind: 'boot-image', variant, ...made }, () =>
    table(
      ['WHAT', 'SIZE', ''],
      [
        ['kernel', formatBytes(made.kernelBytes), made.kernel],
        ['initrd', formatBytes(made.initrdBytes), made.initrd],
        ...made.parts.map(({ name, bytes }) => [`  ${name}`, formatBytes(bytes), '']),
      ],
    ),
  );
  return undefined;
}

async function ipxe({ output, options }: Call<IpxeOptions>): Promise<undefined> {
  const { server, files, token } = options;
  if (!SERVER.test(server))
    throw usageError(`reading --server ${server}: it is no address like https://10.0.0.1:7281`);
  const words = [
    'initrd=initrd.img',
    `iguana.server=${server}`,
    `iguana.ca=${await ownCa()}`,
    ...(token === undefined ? [] : [`iguana.token=${token}`]),
  ];
  const base = files.replace(/\/$/, '');
  const script = [
    '#!ipxe',
    `kernel ${base}/vmlinuz ${words.join(' ')}`,
    `initrd --name initrd.img ${base}/initrd.img`,
    'boot',
  ].join('\n');
  output.result({ kind: 'ipxe', script }, () => script);
  return undefined;
}

async function ownCa(): Promise<string> {
  const digest = await authorityDigest(gatewayPaths(statePaths()));
  if (digest !== undefined) return digest;
  throw usageError('this host has no gateway yet whose authority the machines could know', {
    remedy: 'Start it with `iguana server`, or name another one with --ca.',
  });
}

async function publicKey(file: string): Promise<string> {
  const { readPublicKey } = await import('../../image/signature/public-key.ts');
  await readPublicKey(file);
  return await readFile(file, 'utf8');
}
