/** `iguana boot`: what machines start from to install themselves. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { BootVariant } from '../../host/boot/system.ts';
import { authorityDigest } from '../../host/enrolment/authority-digest.ts';
import { gatewayPaths } from '../../host/enrolment/paths.ts';
import { statePaths } from '../../host/state.ts';
import { usageError } from '../errors.ts';
import { formatBytes } from '../output/format.ts';
import { table } from '../output/table.ts';
import { registerBootAgent } from './boot-agent.ts';
import { certificateIn, dracutSystem, publicKeyIn, tokenIn, workflowFileIn } from './boot-files.ts';
import { action, type Call, define, group } from './define.ts';

interface BuildOptions {
  readonly folder: string;
  readonly variant: BootVariant;
  readonly firmware?: boolean;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly agent?: string;
  readonly key?: string;
  readonly registryCa?: string;
  readonly control?: string;
  readonly server?: string;
  readonly ca?: string;
  readonly tokenFile?: string;
}

interface IpxeOptions {
  readonly server: string;
  readonly files: string;
  readonly ca?: string;
  readonly tokenFile?: string;
}

/** Drivers are a part of their own. */
const MODULES = 'usr/lib/modules/';
const SERVER = /^https:\/\/[^/\s]+$/;
const PULLED = /^[^\s/]+\/[^\s@]+@sha256:[0-9a-f]{64}$/;
const CA = /^sha256:[0-9a-f]{64}$/;
/** What iPXE of distributions fetches. */
const FILES = /^(https?|tftp):\/\/[^/\s]+(\/\S*)?$/;

/** Adds the commands. */
export function registerBoot(program: Command): void {
  const boot = group(program, 'boot', 'make what machines start from');
  define(boot, {
    usage: 'build',
    summary: 'make the boot image: a kernel and an initrd, the same for every machine, and media of them',
    description:
      'Made of Debian 13 packages; the same packages and options give the same bytes. The agent is part of it, or is pulled from a\n' +
      'registry and must be signed by --key. The folder gets vmlinuz and initrd.img (PXE, iPXE), iguana.efi (UEFI HTTP boot) and iguana.iso\n' +
      '(CD, USB stick). The latter two know only what --server, --ca and --token-file say.',
    examples: [
      ['boot build -o boot', 'for virtual machines, told everything on the kernel command line'],
      ['boot build -o boot --variant generic --server https://10.0.0.1:7281', 'for real ones of this server'],
      [
        'boot build -o boot --server https://10.0.0.1:7281 --token-file token',
        'a USB stick: machines enrol by themselves',
      ],
      [
        'boot build -o boot --kernel vmlinuz --initrd dracut.img',
        'of a distribution’s own packages, by dracut',
      ],
      ['boot build -o boot --agent registry.example/iguana/agent@sha256:… --key cosign.pub', 'agent pulled'],
      [
        'boot build -o boot --control control.yaml --key cosign.pub',
        'as the original Iguana: jobs of containers',
      ],
    ],
  })
    .requiredOption('-o, --folder <folder>', 'where the files are put')
    .addOption(
      new Option('--variant <which>', 'drivers of virtual machines, or of real ones too')
        .choices(['virtual', 'generic'])
        .default('virtual'),
    )
    .option('--firmware', 'add firmware of network cards and storage adapters, which is not free software')
    .addOption(
      new Option('--kernel <file>', 'kernel of the distribution whose initrd --initrd is').conflicts(
        'variant',
      ),
    )
    .option('--initrd <file>', 'what dracut has made with Iguana’s module (initrd/dracut)')
    .option('--agent <image>', 'pull the agent from there, by digest; default: it is part of the boot image')
    .option(
      '--key <file>',
      'public key that must have signed what is pulled: the agent, what rd.iguana.containers names, workflow files and theirs',
    )
    .option(
      '--registry-ca <file>',
      'authority of registry and web server, where it is none that everybody trusts',
    )
    .option(
      '--control <file>',
      'workflow file of the original Iguana: without a server, and without other words for the kernel, it is run; whoever has the files can read it',
    )
    .option('--server <url>', 'address of the gateway; default: the kernel command line says it')
    .option('--ca <digest>', 'digest of its authority; default, with --server: that of this host’s gateway')
    .option('--token-file <file>', 'token with which the machines enrol; whoever has the files can read it')
    .action(action(build));
  registerBootAgent(boot);
  define(boot, {
    usage: 'ipxe',
    summary: 'print the iPXE script that starts machines with the boot image',
    description:
      'For a web server of one’s own; the gateway’s boot endpoint makes a script for each machine. Whoever fetches the script can read the token.',
    examples: [
      ['boot ipxe --server https://10.0.0.1:7281 --files http://10.0.0.1/boot', 'machines wait for approval'],
      [
        'boot ipxe --server https://10.0.0.1:7281 --files http://10.0.0.1/boot --token-file token',
        'they enrol by themselves',
      ],
    ],
  })
    .requiredOption('--server <url>', 'address of the gateway, as machines reach it')
    .requiredOption('--files <url>', 'where a web server has vmlinuz and initrd.img')
    .option('--ca <digest>', 'digest of its authority; default: that of this host’s gateway')
    .option('--token-file <file>', 'token with which the machines enrol; default: they wait for approval')
    .action(action(ipxe));
}

async function build({ output, options }: Call<BuildOptions>): Promise<undefined> {
  const {
    variant,
    firmware = false,
    kernel,
    initrd,
    agent,
    key,
    registryCa,
    control,
    server,
    tokenFile,
  } = options;
  const folder = resolve(options.folder);
  if (server !== undefined) requireServer(server);
  if (agent !== undefined && !PULLED.test(agent))
    throw usageError(`reading --agent ${agent}: it is no HOST/REPOSITORY@sha256:…`, {
      remedy: 'A tag may be moved: name the agent by its digest.',
    });
  if ((kernel === undefined) !== (initrd === undefined))
    throw usageError('--kernel and --initrd belong together: modules are of one kernel');
  const system =
    kernel === undefined || initrd === undefined ? undefined : await dracutSystem(kernel, initrd);
  if (agent !== undefined && key === undefined)
    throw usageError('--agent needs --key: what is pulled must be signed');
  const ca = server === undefined ? options.ca : (options.ca ?? (await ownCa()));
  if (ca !== undefined && !CA.test(ca)) throw usageError(`reading --ca ${ca}: it is no digest sha256:…`);
  if (registryCa !== undefined && key === undefined)
    throw usageError('--registry-ca is of no use without --key: nothing is pulled');
  if (control !== undefined && key === undefined)
    throw usageError('--control needs --key: the containers that it names must be signed', {
      remedy: 'Name the public key of whoever signs them, e.g. --key cosign.pub.',
    });
  const [{ makeBootImage }, { makeBootMedia }, agentKey, registryCaPem, token, workflow] = await Promise.all([
    import('../../host/boot/boot-image.ts'),
    import('../../host/boot/media.ts'),
    key === undefined ? undefined : publicKeyIn(key),
    registryCa === undefined ? undefined : certificateIn(registryCa),
    tokenFile === undefined ? undefined : tokenIn(tokenFile),
    control === undefined ? undefined : workflowFileIn(control),
  ]);
  const onLine = (line: string) => output.note(line);
  const image = await makeBootImage(statePaths(), {
    variant,
    baked: agent === undefined,
    firmware,
    folder,
    onLine,
    ...(system && { system }),
    ...(token !== undefined && { token }),
    ...(agent !== undefined && { agent }),
    ...(agentKey !== undefined && { agentKey }),
    ...(registryCaPem !== undefined && { registryCa: registryCaPem }),
    ...(workflow !== undefined && { control: workflow }),
    ...(server !== undefined && { server }),
    ...(ca !== undefined && { ca }),
  });
  const made = { ...image, ...(await makeBootMedia(statePaths(), image, folder, onLine)) };
  output.result({ kind: 'boot-image', ...(!system && { variant }), ...made }, () =>
    table(
      ['WHAT', 'SIZE', ''],
      [
        ['kernel', formatBytes(made.kernelBytes), made.kernel],
        ['initrd', formatBytes(made.initrdBytes), made.initrd],
        ...made.parts.flatMap(({ name, bytes }) => [
          [`  ${name}`, formatBytes(bytes), ''],
          ...made.largest
            .filter(({ what }) => name === (what.startsWith(MODULES) ? 'modules' : 'system'))
            .map((share) => ['', '', `${formatBytes(share.bytes).padStart(8)} ${share.what}`]),
        ]),
        ['UEFI', formatBytes(made.ukiBytes), made.uki],
        ['CD, USB', formatBytes(made.isoBytes), made.iso],
      ],
    ),
  );
  return undefined;
}

function requireServer(server: string): void {
  if (!SERVER.test(server))
    throw usageError(`reading --server ${server}: it is no address like https://10.0.0.1:7281`);
}

async function ipxe({ output, options }: Call<IpxeOptions>): Promise<undefined> {
  const { server, files, tokenFile } = options;
  requireServer(server);
  if (!FILES.test(files))
    throw usageError(`reading --files ${files}: it is no address like http://10.0.0.1/boot`, {
      remedy: 'Name the address at which machines reach the folder of `iguana boot build`.',
    });
  const ca = options.ca ?? (await ownCa());
  if (!CA.test(ca))
    throw usageError(`reading --ca ${ca}: it is no digest sha256:…`, {
      remedy: '`iguana machine token create`, where the gateway runs, shows it.',
    });
  const [{ installerLines, ipxeScript }, token] = await Promise.all([
    import('../../host/boot/ipxe.ts'),
    tokenFile === undefined ? undefined : tokenIn(tokenFile),
  ]);
  const script = ipxeScript(
    ':start',
    ...installerLines(files.replace(/\/*$/, '/'), {
      server,
      ca,
      // Otherwise the kernel shows its words at its start, the token too.
      commandLine: 'quiet',
      ...(token !== undefined && { token }),
    }),
    'goto start',
  ).trimEnd();
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
