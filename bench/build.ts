/**
 * `node bench/build.ts [--rounds N] [--json]`: building an image against bare mmdebstrap with the same packages.
 *
 * Both run in the builder container, one after the other in turns, with the same archives in apt's cache and the same
 * mirror, into the same filesystem. Bare is what a person would type: mmdebstrap with the list of packages, as root, into
 * a tar archive, with neither hooks for its content nor checks; only its own time counts, without the start of the
 * container. A build counts whole: container, packages, initrd, filesystem, ESP, lists, digests, store. That it keeps the
 * tree in memory, where there is enough, is a part of what is compared.
 * Then the time that the same image takes when it is asked for again.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MockActivityEnvironment } from '@temporalio/testing';
import { builderActivities } from '../activities/build/index.ts';
import { packagesOf } from '../activities/build/packages.ts';
import { sourcesOf } from '../activities/build/sources.ts';
import type { ImageRef } from '../activities/contract.ts';
import { requiredAptMirror } from '../host/apt-mirror.ts';
import { ensureBuilderImage } from '../host/containers/builder.ts';
import { openEngine } from '../host/engine/open.ts';
import { runContainer } from '../host/engine/run.ts';
import { type StatePaths, statePaths } from '../host/state.ts';
import { type ManifestImage, manifestImageSchema } from '../manifest/schema/manifest.ts';

/** A small server: the packages of the built-in defaults, SSH, and the kernel of virtual machines. */
async function benchImage(): Promise<ManifestImage> {
  const { archive: main, security } = await requiredAptMirror();
  const repository = { components: ['main'], key: 'distribution' };
  return manifestImageSchema.parse({
    distribution: 'debian',
    release: 'trixie',
    architecture: 'amd64',
    builder: 'mmdebstrap',
    variant: 'minbase',
    packages: [
      'dbus',
      'initramfs-tools',
      'iproute2',
      'openssh-server',
      'sudo',
      'systemd',
      'systemd-boot',
      'systemd-resolved',
      'systemd-sysv',
      'udev',
    ],
    recommends: false,
    repositories: [
      { ...repository, name: 'debian', uri: main, suites: ['trixie', 'trixie-updates'] },
      { ...repository, name: 'debian-security', uri: security, suites: ['trixie-security'] },
    ],
    kernel: { package: 'linux-image-cloud-amd64', cmdline: [] },
    files: [],
    services: [],
    locale: 'C.UTF-8',
    keyboard: 'us',
    timezone: 'Etc/UTC',
    scripts: [],
    sourceDateEpoch: 1_754_697_600,
    revision: '',
    rootFilesystem: 'ext4',
  });
}

/** What a person would type; the archives come from the cache that builds fill, as hard links. */
function bareScript(image: ManifestImage): string {
  const archives = '/cache/bench';
  return `set -eu
    cat >/tmp/bench.sources <<'END'
${image.repositories.map(sourcesOf).join('\n')}
END
    rm -rf ${archives}; mkdir -p ${archives}/partial
    find /cache/archives -name '*.deb' -exec cp --link --target-directory=${archives} {} +
    start=$(date +%s%N)
    mmdebstrap --mode=root --variant=${image.variant} --include=${packagesOf(image).join(',')} \
      --aptopt='APT::Install-Recommends "${image.recommends}"' --aptopt='Acquire::Languages "none"' \
      --skip=essential/unlink \
      --setup-hook='mkdir -p "$1/var/cache/apt/archives"; mount --bind ${archives} "$1/var/cache/apt/archives"' \
      --customize-hook='umount "$1/var/cache/apt/archives"' \
      ${image.release} /job/bare.tar /tmp/bench.sources >/tmp/bare.log 2>&1 || { cat /tmp/bare.log; exit 1; }
    echo "bench $(($(date +%s%N) - start))"
    rm -rf ${archives} /job/bare.tar`;
}

/** @returns seconds */
async function runBare(paths: StatePaths, image: ManifestImage, folder: string): Promise<number> {
  const engine = await openEngine(paths);
  const lines: string[] = [];
  const status = await runContainer(engine, {
    image: await ensureBuilderImage(engine, paths, () => undefined),
    name: 'iguana-bench-bare',
    command: ['/bin/sh', '-c', bareScript(image)],
    privileged: true,
    networkMode: 'host',
    binds: [`${folder}:/job`, `${join(paths.cache, 'apt')}:/cache`],
    env: { TMPDIR: '/work', SOURCE_DATE_EPOCH: String(image.sourceDateEpoch) },
    onOutput: (line) => lines.push(line),
  });
  const nanoseconds = /^bench (\d+)$/m.exec(lines.join('\n'))?.[1];
  if (status !== 0 || !nanoseconds)
    throw new Error(`running bare mmdebstrap: status ${status}: ${lines.slice(-10).join('; ')}`);
  return Number(nanoseconds) / 1e9;
}

/** @returns seconds, and the image */
async function runBuild(
  paths: StatePaths,
  image: ManifestImage,
): Promise<{ seconds: number; ref: ImageRef }> {
  const { buildImage } = builderActivities(paths);
  const start = performance.now();
  const ref: ImageRef = await new MockActivityEnvironment().run(buildImage, image);
  return { seconds: (performance.now() - start) / 1000, ref };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, json: { type: 'boolean', default: false } },
});
const say = (text: string): void => {
  if (!options.json) console.log(text);
};
const image = await benchImage();
const folder = await mkdtemp(join(tmpdir(), 'iguana-bench-'));
const inStore = (name: string): StatePaths => ({
  ...statePaths(),
  store: join(folder, name, 'store'),
  logs: join(folder, name, 'logs'),
});
try {
  say('warming the cache of packages');
  const { ref } = await runBuild(inStore('warm'), image);
  const again: number[] = [];
  for (let round = 0; round < 5; round += 1) again.push((await runBuild(inStore('warm'), image)).seconds);
  const rounds: { bare: number; build: number }[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const work = join(folder, `bare-${round}`);
    await mkdir(work);
    const bare = await runBare(statePaths(), image, work);
    const { seconds: build } = await runBuild(inStore(`build-${round}`), image);
    rounds.push({ bare, build });
    say(`round ${round + 1}: bare ${bare.toFixed(1)} s, build ${build.toFixed(1)} s`);
    await rm(join(folder, `build-${round}`), { recursive: true, force: true });
  }
  const result = {
    packages: ref.packageCount,
    rootBytes: ref.rootBytes,
    rounds,
    bareSeconds: median(rounds.map(({ bare }) => bare)),
    buildSeconds: median(rounds.map(({ build }) => build)),
    ratio: median(rounds.map(({ bare, build }) => build / bare)),
    againSeconds: median(again),
  };
  if (options.json) console.log(JSON.stringify(result, null, 2));
  else
    console.table({
      'bare mmdebstrap, s': result.bareSeconds.toFixed(1),
      'build, s': result.buildSeconds.toFixed(1),
      'ratio (goal: at most 1.10)': result.ratio.toFixed(2),
      'same image again, s (goal: at most 1)': result.againSeconds.toFixed(3),
    });
} finally {
  await rm(folder, { recursive: true, force: true });
}
