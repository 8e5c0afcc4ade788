/** What makes a boot image one's own: the files of `initrd/boot/root/`, its configuration, and the key whose containers it runs. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LayerFile } from '../containers/tree-layer.ts';

const ROOT = fileURLToPath(new URL('../../initrd/boot/root/', import.meta.url));

/** What a boot image knows without being told by the kernel's command line. */
export interface BootConfiguration {
  /** Address of the gateway, `https://HOST:PORT`. */
  readonly server?: string;
  /** Digest of the gateway's authority, `sha256:…`. */
  readonly ca?: string;
  /** Token with which the machines enrol: whoever can read the boot image has it. */
  readonly token?: string;
  /** The container to pull, `HOST/REPOSITORY@sha256:…`. */
  readonly agent?: string;
  /**
   * PEM; what comes from elsewhere must be signed by it: the agent's container, those of `rd.iguana.containers` and of workflow files, and these
   * files. Without a key none is pulled.
   */
  readonly agentKey?: string;
  /** PEM; authority of the registry's certificate, where it is none that everybody trusts. */
  readonly registryCa?: string;
  /** Workflow file of the original Iguana, which is run where nothing else is said. */
  readonly control?: string;
}

/** The files, by path. */
export async function embeddedFiles(configuration: BootConfiguration): Promise<readonly LayerFile[]> {
  return [...(await ownFiles()), ...configurationFiles(configuration)];
}

async function ownFiles(): Promise<readonly LayerFile[]> {
  const entries = await readdir(ROOT, { recursive: true, withFileTypes: true });
  return await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory())
      .map(async (entry): Promise<LayerFile> => {
        const file = join(entry.parentPath, entry.name);
        const path = `/${relative(ROOT, file)}`;
        if (entry.isSymbolicLink()) return { path, source: { link: await readlink(file) } };
        const content = await readFile(file);
        return {
          path,
          source: { content },
          mode: content.subarray(0, 2).toString() === '#!' ? 0o755 : 0o644,
        };
      }),
  );
}

function configurationFiles({
  server,
  ca,
  token,
  agent,
  agentKey,
  registryCa,
  control,
}: BootConfiguration): LayerFile[] {
  const lines = Object.entries({ server, ca, token, agent }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}\n`],
  );
  const text = (path: string, content: string, mode?: number): LayerFile => ({
    path,
    source: { content },
    ...(mode !== undefined && { mode }),
  });
  return [
    ...(lines.length > 0 ? [text('/etc/iguana/boot.conf', lines.join(''), 0o600)] : []),
    text('/etc/containers/policy.json', `${JSON.stringify(policyOf(agentKey !== undefined), null, 2)}\n`),
    ...(agentKey === undefined
      ? []
      : [
          text(KEY_PATH, agentKey),
          text(
            '/etc/containers/registries.d/default.yaml',
            'default-docker:\n  use-sigstore-attachments: true\n',
          ),
        ]),
    // Where Go's programs look beside the bundle of authorities that everybody trusts.
    ...(registryCa === undefined ? [] : [text('/etc/ssl/certs/iguana-registry.pem', registryCa)]),
    // Its environments may hold secrets.
    ...(control === undefined ? [] : [text('/etc/iguana/control.yaml', control, 0o600)]),
  ];
}

const KEY_PATH = '/etc/iguana/agent.pub';

/**
 * containers-policy.json(5). The identity that was signed names a repository, not a tag: the agent is pulled by digest.
 * @param hasKey whether there is a key; without one nothing is pulled
 */
function policyOf(hasKey: boolean): unknown {
  const signed = { type: 'sigstoreSigned', keyPath: KEY_PATH, signedIdentity: { type: 'matchRepository' } };
  return {
    default: [{ type: 'reject' }],
    ...(hasKey && { transports: { docker: { '': [signed] } } }),
  };
}
