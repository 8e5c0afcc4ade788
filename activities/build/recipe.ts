/** What is to be built, as files that the scripts in the builder container read. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManifestImage } from '../../manifest/schema/manifest.ts';
import { packagesOf } from './packages.ts';
import { keyFileName, sourcesOf } from './sources.ts';

/** Settings of apt on the host's way to its mirrors. Proxies may hold passwords: they go into a file, not into arguments. */
const PASSED_ON = ['http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy'] as const;

/** systemctl's verb for each state of a service. */
const VERBS = { enabled: 'enable', disabled: 'disable', masked: 'mask' } as const;

/**
 * Writes the recipe.
 * @param folder made, with mode 0700
 */
export async function writeRecipe(image: ManifestImage, folder: string): Promise<void> {
  for (const part of ['keys', 'sources', 'files', 'scripts'])
    await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
  const write = (path: string, content: string | Uint8Array): Promise<void> =>
    writeFile(join(folder, path), content, { mode: 0o600 });
  const sources = image.repositories.map((repository) => ({ repository, text: sourcesOf(repository) }));
  for (const { repository, text } of sources) {
    await write(`sources/${repository.name}.sources`, text);
    if (repository.key !== 'distribution') await write(`keys/${keyFileName(repository)}`, repository.key);
  }
  await write('iguana.sources', sources.map(({ text }) => text).join('\n'));
  await write('mmdebstrap-options', lines(mmdebstrapOptions(image)));
  await write('environment', lines(proxies()));
  for (const [index, file] of image.files.entries())
    await write(`files/${index}`, Buffer.from(file.content, file.encoding === 'base64' ? 'base64' : 'utf8'));
  await write(
    'files.tsv',
    lines(
      image.files.map(({ mode, owner, group, path }, index) => [index, mode, owner, group, path].join('\t')),
    ),
  );
  await write(
    'services.tsv',
    lines(image.services.map(({ name, state }) => `${VERBS[state]}\t${unitName(name)}`)),
  );
  for (const [index, script] of image.scripts.entries()) await write(`scripts/${index}`, script.content);
  await write('scripts.tsv', lines(image.scripts.map(({ name }, index) => `${index}\t${name}`)));
}

/** A line for each argument. */
function mmdebstrapOptions(image: ManifestImage): string[] {
  const usesFiles = image.repositories.some(({ uri }) => uri.startsWith('file:'));
  return [
    `--variant=${image.variant}`,
    `--architectures=${image.architecture}`,
    `--include=${packagesOf(image).join(',')}`,
    `--aptopt=APT::Install-Recommends "${image.recommends}"`,
    '--aptopt=Acquire::Languages "none"',
    // A mirror that is slow once is asked again; one that is away must not keep anybody for minutes.
    '--aptopt=Acquire::Retries "3"',
    '--aptopt=Acquire::http::Timeout "30"',
    '--aptopt=Acquire::https::Timeout "30"',
    // A list that cannot be fetched is an error: without, apt goes on with what it has.
    '--aptopt=APT::Update::Error-Mode "any"',
    ...(usesFiles ? ['--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount'] : []),
  ];
}

function proxies(): string[] {
  return PASSED_ON.flatMap((name) => {
    const value = process.env[name] ?? process.env[name.toUpperCase()];
    return value ? [`${name}=${value}`] : [];
  });
}

/** A unit's name with the suffix that systemctl(1) would add. */
const unitName = (name: string): string => (/\.[a-z]+$/.test(name) ? name : `${name}.service`);

const lines = (entries: readonly string[]): string => entries.map((entry) => `${entry}\n`).join('');
