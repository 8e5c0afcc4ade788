/** What an image must hold so that an install can use it: the root filesystem, and the files that belong to it. */
import { BadImage } from '../image/format/errors.ts';
import type { Image, ImagePart } from '../image/format/read-image.ts';
import { type Blob, type ImageRecord, imageRecordSchema } from './image-record.ts';

/** Name of the part. */
export const ROOT_PART = 'root';

/** Names of the attachments: content of the ESP (tar), list of all files (`file-list.ts`), packages (CycloneDX). */
export const ATTACHMENT_NAMES = ['esp', 'files', 'sbom'] as const;

/** @see ATTACHMENT_NAMES */
export type AttachmentName = (typeof ATTACHMENT_NAMES)[number];

/** An image that can be installed. */
export interface InstallContent extends Readonly<Record<AttachmentName, Blob>> {
  readonly root: ImagePart;
  readonly rootFilesystem: ImageRecord['rootFilesystem'];
}

/**
 * @param doing for messages: `reading the image IMAGE`
 * @throws BadImage where something is missing
 */
export function installContent(doing: string, { parts, attachments }: Image): InstallContent {
  const root = parts.find(({ name, kind }) => name === ROOT_PART && kind === 'partition');
  if (!root)
    throw new BadImage(
      doing,
      'it holds no root filesystem to install, only what `iguana image write` writes',
      {
        expected: `a partition called ${ROOT_PART}`,
        found: parts.map(({ name, kind }) => `${kind} ${name}`).join(', '),
      },
    );
  const filesystem = imageRecordSchema.shape.rootFilesystem.safeParse(root.filesystem);
  if (!filesystem.success)
    throw new BadImage(doing, 'its root filesystem is of a kind that cannot be installed', {
      expected: imageRecordSchema.shape.rootFilesystem.options.join(', '),
      found: root.filesystem ?? 'none named',
    });
  const blob = (wanted: AttachmentName): Blob => {
    const found = attachments.find(({ name }) => name === wanted);
    if (!found) throw new BadImage(doing, `the attachment ${wanted} is missing, which an install needs`);
    return { digest: found.digest, sizeBytes: found.sizeBytes };
  };
  return {
    root,
    rootFilesystem: filesystem.data,
    esp: blob('esp'),
    files: blob('files'),
    sbom: blob('sbom'),
  };
}
