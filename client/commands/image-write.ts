/** `iguana image write`: an image onto a disk, verified, resumed where it was interrupted, with what the disk holds already. */
import type { Command } from 'commander';
import { statePaths } from '../../host/state.ts';
import type { Image, ImagePart } from '../../image/format/read-image.ts';
import type { Signer } from '../../image/signature/verify.ts';
import type { ImageSource } from '../../image/source/source.ts';
import type { WriteReport } from '../../image/write/request.ts';
import { startThreads } from '../../image/write/threads.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { action, define } from './define.ts';
import { REFERENCE_HELP, signedBy } from './image-options.ts';
import { partOf } from './image-part.ts';
import { type ReadOptions, withImage, withReadOptions } from './image-read.ts';
import { WriteProgressView } from './image-write-progress.ts';
import { WriteRecord } from './image-write-record.ts';
import { openWriteTarget, requireConsent } from './image-write-target.ts';

interface WriteOptions extends ReadOptions {
  readonly from?: string;
  readonly part?: string;
  readonly unsigned?: boolean;
  readonly yes?: boolean;
  readonly readBack: boolean;
}

/** Adds the command. */
export function registerImageWrite(image: Command): void {
  const write = define(image, {
    usage: 'write <image> <disk>',
    summary: 'write an image onto a disk, with up to four cores',
    description:
      'Every byte is verified before it is written, and read back when all are. The start of the disk goes last: nothing\n' +
      'boots from half an image. The same command again goes on where it was interrupted. What the disk holds already, of\n' +
      'this image or of the one that was written last, is not fetched again.\n' +
      REFERENCE_HELP,
    examples: [
      ['image write docker://registry.example/os/web:1.2 /dev/sdb --key cosign.pub', 'from a registry'],
      ['image write oci:web disk.img --unsigned', 'into a file, which is made'],
      ['image write oci:web:1.3 /dev/sdb --from oci:web:1.2 --key cosign.pub', 'only what has changed'],
    ],
  })
    .option('--from <image>', 'the image that the disk holds; default the one that was written last')
    .option('--part <name>', 'the part of the image; needed where it has more than one')
    .option('--unsigned', 'write an image that no key vouches for')
    .option('--yes', 'replace what the disk holds without asking')
    .option('--no-read-back', 'do not read the disk again when it is written');
  withReadOptions(write).action(action(run));
}

async function run(
  { output, options }: { output: Output; options: WriteOptions },
  reference: string,
  disk: string,
): Promise<undefined> {
  if (!options.key && !options.unsigned) {
    throw usageError(`writing ${reference}: nobody is named whose signature it must have`, {
      remedy: 'Name a public key with --key, or say --unsigned.',
    });
  }
  startThreads();
  await withImage(reference, options, async ({ image, source, signer }) => {
    const part = partOf(image, options.part, `writing ${reference}`);
    const held = options.from === undefined ? undefined : await heldPart(options.from, options);
    await writePart({ output, options, source, disk, image, part, held, signer });
  });
  return undefined;
}

interface PartWrite {
  readonly output: Output;
  readonly options: WriteOptions;
  readonly source: ImageSource;
  readonly disk: string;
  readonly image: Image;
  readonly part: ImagePart;
  readonly held: ImagePart | undefined;
  readonly signer: Signer | undefined;
}

async function writePart(write: PartWrite): Promise<void> {
  const { output, options, source, disk, image, part, signer } = write;
  const { writeImage } = await import('../../image/write/writer.ts');
  await using target = await openWriteTarget(disk, part.sizeBytes);
  const record = await WriteRecord.open(statePaths().root, target.identity);
  const resumed = record.flushedOf(image.digest, part.name);
  // Who goes on with what was agreed to before has agreed.
  if (!resumed) await requireConsent(output, target, options);
  const held = write.held?.chunks ?? (await record.heldTable());
  const view = await WriteProgressView.open(output, disk);
  try {
    await record.begin(image.digest, part);
    const report = await writeImage({
      part: part.chunks,
      source,
      target: target.path,
      ...(resumed && { flushed: resumed }),
      ...(held && { held }),
      readBack: options.readBack,
      onProgress: (progress) => {
        record.progress(progress.flushed);
        view.show(progress);
      },
    });
    await record.complete();
    view.clear();
    output.result(
      { kind: 'image-write', digest: image.digest, part: part.name, target: target.path, ...report, signer },
      () => textOf(disk, part, report, signer),
    );
  } finally {
    view.clear();
    await record.close();
  }
}

/** The older image says only what may be on the disk, and every byte of that is verified: it needs no signature. */
async function heldPart(reference: string, options: WriteOptions): Promise<ImagePart> {
  const { key, signedIdentity, mirror, part, ...connection } = options;
  return await withImage(reference, connection, async ({ image }) =>
    partOf(image, part, `reading ${reference}`),
  );
}

function textOf(disk: string, part: ImagePart, report: WriteReport, signer: Signer | undefined): string {
  const { written, kept, copied, fetched, zeros, readBack, direct, seconds } = report;
  return [
    `${disk}: ${formatBytes(part.sizeBytes)} in ${formatDuration(seconds * 1000)}` +
      (readBack > 0 ? ', read back and compared' : ''),
    `written ${formatBytes(written)}, kept ${formatBytes(kept)}, copied ${formatBytes(copied)}, ` +
      `zeros ${formatBytes(zeros)}; fetched ${formatBytes(fetched)}`,
    ...(direct
      ? []
      : [`${disk} has no direct access: it was written and read through the cache of this system`]),
    signedBy(signer, 'not signed'),
  ].join('\n');
}
