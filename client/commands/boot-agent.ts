/** `iguana boot agent`: the agent's container, for boot images that pull it. */
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import { statePaths } from '../../host/state.ts';
import { type Digest, digestOf } from '../../image/digest.ts';
import { formatBytes } from '../output/format.ts';
import { action, type Call, define } from './define.ts';
import { type ConnectionOptions, connectionOf, readable, withConnectionOptions } from './image-options.ts';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

/** Adds the command. */
export function registerBootAgent(boot: Command): void {
  const agent = define(boot, {
    usage: 'agent <target>',
    summary: 'put the container of the agent into a registry, for boot images that pull it',
    description:
      'As small as it gets, and the same bytes for the same Iguana. Machines run it only where it is signed: `iguana image sign`, or cosign.\n' +
      'Targets: docker://HOST/REPOSITORY[:TAG], oci:FOLDER[:TAG]. Credentials come from --authfile, $REGISTRY_AUTH_FILE, or the files of\n' +
      'podman, skopeo and Docker.',
    examples: [
      [
        'boot agent docker://registry.example/iguana/agent:1',
        'then sign it, and give its digest to `boot build --agent`',
      ],
      ['boot agent oci:agent', 'a layout folder, to be carried elsewhere'],
    ],
  });
  withConnectionOptions(agent).action(action(run));
}

async function run({ output, options }: Call<ConnectionOptions>, to: string): Promise<undefined> {
  const [{ openTarget }, { parseReference, placeOf }, { OCI_MANIFEST }, { onePiece }, { packedAgent }] =
    await Promise.all([
      import('../../image/transfer/open.ts'),
      import('../../image/source/reference.ts'),
      import('../../image/transfer/oci-manifest.ts'),
      import('../../image/transfer/blob-stream.ts'),
      import('../../host/containers/packed-agent.ts'),
    ]);
  const { target, reference } = readable(() => ({
    target: openTarget(to, connectionOf(options)),
    reference: parseReference(to),
  }));
  try {
    const { config, layers } = await packedAgent(statePaths(), (line) => output.note(line));
    const configDigest = digestOf(config);
    for (const layer of layers) {
      const blob = { digest: layer.digest as Digest, sizeBytes: layer.bytes };
      if (await target.has(blob)) continue;
      output.note(`agent: sending ${formatBytes(layer.bytes)}`);
      await target.put(blob, () => createReadStream(layer.path));
    }
    await target.put({ digest: configDigest, sizeBytes: config.length }, () => onePiece(config));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: CONFIG, digest: configDigest, size: config.length },
        layers: layers.map(({ digest, bytes }) => ({ mediaType: LAYER, digest, size: bytes })),
      }),
    );
    const digest = digestOf(manifest);
    await target.putManifest({ bytes: manifest, digest, mediaType: OCI_MANIFEST }, reference.tag);
    const bytes = layers.reduce((sum, layer) => sum + layer.bytes, config.length);
    const image = `${placeOf(reference)}@${digest}`;
    output.result({ kind: 'agent', image, digest, bytes }, () =>
      [
        `${image}, ${formatBytes(bytes)}`,
        ...(reference.kind === 'registry'
          ? [
              `when it is signed: iguana boot build --agent ${reference.host}/${reference.repository}@${digest}`,
            ]
          : []),
      ].join('\n'),
    );
  } finally {
    await target.close();
  }
  return undefined;
}
