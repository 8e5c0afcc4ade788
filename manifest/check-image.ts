/** What the image part says and cannot be, and contents of files and scripts. */
import { DEFAULTS } from './defaults.ts';
import { type Diagnostic, diagnose } from './diagnostics.ts';
import { nodeAt, type Path } from './located.ts';
import type { Complain, Merged } from './plan-context.ts';
import type { CompleteProfile } from './schema/profile.ts';

type File = CompleteProfile['image']['files'][number];
type Script = CompleteProfile['image']['scripts'][number];

/** RFC 4648, section 4, with line breaks. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Fields that describe a build. */
const OF_BUILDS = ['packages', 'repositories', 'files', 'services', 'scripts'] as const;

/** Judges the image part. */
export function checkImage({ image }: CompleteProfile, complain: Complain): void {
  image.kernel.cmdline.forEach((option, index) => {
    if (option.startsWith('root='))
      complain(['image', 'kernel', 'cmdline', index], 'Iguana itself adds root=');
  });
  if (image.from) checkFrom(image.from, complain);
  else if (image.repositories.length === 0) {
    complain(['image', 'repositories'], 'there is no repository to take packages from');
  }
}

function checkFrom(
  { keys, insecureUnsigned, signedIdentity }: NonNullable<CompleteProfile['image']['from']>,
  complain: Complain,
): void {
  if (keys.length === 0 && !insecureUnsigned) {
    complain(['image', 'from'], 'nobody is named whose signature it must have', {
      allowed: '`keys`, or `insecureUnsigned: true`',
    });
  }
  if (keys.length > 0 && insecureUnsigned) {
    complain(['image', 'from', 'insecureUnsigned'], 'there are `keys` too; keep one of them');
  }
  if (keys.length === 0 && signedIdentity !== undefined) {
    complain(['image', 'from', 'signedIdentity'], 'without a trusted key a name proves nothing: add `keys`');
  }
}

/** Complains about what layers say of a build, where the image comes from elsewhere: it would have no effect. */
export function checkVoid({ root, profile }: Merged): Diagnostic[] {
  if (!profile.image.from) return [];
  return OF_BUILDS.flatMap((field) => {
    const list = nodeAt(root, ['image', field]);
    const items = list?.kind === 'list' ? list.items : [];
    return items.flatMap((item, index) =>
      item.at.file === DEFAULTS.name
        ? []
        : [
            diagnose(
              root,
              ['image', field, index],
              'ProfileInvalid',
              'it has no effect: the image comes from elsewhere (`image.from`)',
            ),
          ],
    );
  });
}

/** Judges files and scripts of both parts. */
export function checkContents({ image, machine }: CompleteProfile, complain: Complain): void {
  checkFiles(image.files, ['image', 'files'], complain);
  checkFiles(machine.files, ['machine', 'files'], complain);
  checkScripts(image.scripts, ['image', 'scripts'], complain);
  checkScripts(machine.firstBoot, ['machine', 'firstBoot'], complain);
}

function checkFiles(files: readonly File[], list: Path, complain: Complain): void {
  files.forEach((file, index) => {
    if (!hasContent(file, [...list, index], complain)) return;
    if (file.encoding === 'base64' && !BASE64.test(file.content.replaceAll(/\s/g, ''))) {
      complain([...list, index, 'content'], 'it is not base64', { found: '(not shown)' });
    }
    if (file.path === '/') complain([...list, index, 'path'], 'this is a folder');
  });
}

function checkScripts(scripts: readonly Script[], list: Path, complain: Complain): void {
  scripts.forEach((script, index) => {
    if (hasContent(script, [...list, index], complain) && !script.content.startsWith('#!')) {
      complain([...list, index, 'content'], 'a script begins with #! and its interpreter', {
        found: '(not shown)',
        allowed: 'e.g. #!/bin/sh in the first line',
      });
    }
  });
}

function hasContent<T extends { content?: string | undefined; source?: string | undefined }>(
  entry: T,
  path: Path,
  complain: Complain,
): entry is T & { content: string } {
  if (entry.content !== undefined) return true;
  if (entry.source === undefined) complain(path, 'neither content nor source', { found: 'no content' });
  else complain([...path, 'source'], 'the file was not read in before planning');
  return false;
}
