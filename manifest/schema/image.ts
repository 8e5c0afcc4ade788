/** What goes into the image: everything here is the same for all machines that share it. */
import { z } from 'zod';
import { digestSchema, modeSchema, targetPathSchema } from './common.ts';

/** A package name as dpkg allows it (Debian Policy 5.6.1). */
export const packageNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9+.-]+$/, 'a package name: a-z, 0-9, + - . and at least two characters');

/** A package repository in the terms of apt's deb822 sources. */
export const repositorySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/, 'a name: a-z, 0-9, . _ -')
    .meta({ description: 'Name of the repository; layers are merged by it.' }),
  uri: z
    .url({ protocol: /^(https?|file)$/, error: 'an address: https, http or file' })
    .max(2048)
    // A manifest is kept in the history and shown to everybody who may see it.
    .regex(/^[a-z]+:\/\/(?![^/]*@)[!-~]+$/, 'an address without user and password')
    .optional()
    .meta({
      description: 'Base address. Default: the mirror that the host itself uses for the distribution.',
    }),
  suites: z
    .array(z.string().regex(/^[A-Za-z0-9./_-]+$/, 'a suite: letters, digits, . / _ -'))
    .min(1)
    .meta({ description: 'Suites, e.g. trixie and trixie-updates.' }),
  components: z
    .array(z.string().regex(/^[a-z0-9-]+$/, 'a component, e.g. main'))
    .default(['main'])
    .meta({ description: 'Components, e.g. main and non-free-firmware.' }),
  key: z
    .string()
    .max(200_000)
    .regex(
      /^(distribution$|\s*-----BEGIN PGP PUBLIC KEY BLOCK-----)/,
      '`distribution` or an ASCII-armoured OpenPGP public key',
    )
    .meta({
      description:
        'ASCII-armoured OpenPGP key that signs the repository, or `distribution` for its archive keyring.',
    }),
});

const accountSchema = z.string().regex(/^[a-z_0-9][a-z0-9_-]*$/, 'a name or id');

/** A file that is put into the image, or onto one machine. */
export const fileSchema = z.strictObject({
  path: targetPathSchema,
  content: z.string().optional().meta({ description: 'The text of the file.' }),
  source: z.string().min(1).max(4096).optional().meta({
    description: 'Instead of content: a file beside the profile, read when the profile is loaded.',
  }),
  encoding: z.enum(['text', 'base64']).default('text').meta({ description: 'How content is written.' }),
  mode: modeSchema.default('0644'),
  owner: accountSchema.default('root').meta({ description: 'User name or id that owns the file.' }),
  group: accountSchema.default('root').meta({ description: 'Group name or id of the file.' }),
});

/** A systemd unit with the state it shall have. */
export const serviceSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9:_.@\\-]+$/, 'a unit name, e.g. ssh.service')
    .meta({ description: 'Unit name; .service is added where there is no suffix.' }),
  state: z
    .enum(['enabled', 'disabled', 'masked'])
    .default('enabled')
    .meta({ description: 'State of the unit, as systemctl(1) has it.' }),
});

/** A script by name and content. */
export const scriptSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a file name: letters, digits, . _ -')
    .meta({ description: 'Name of the script; layers are merged by it.' }),
  content: z.string().optional().meta({ description: 'The script, with its #! line.' }),
  source: z.string().min(1).max(4096).optional().meta({
    description: 'Instead of content: a file beside the profile, read when the profile is loaded.',
  }),
});

const kernelSchema = z.strictObject({
  package: packageNameSchema.meta({ description: 'The package of the kernel.' }),
  cmdline: z
    .array(
      z
        .string()
        .regex(/^[!,.-~][!-~]*$/, 'one kernel option: no white space, not beginning with - or quotes'),
    )
    .meta({ description: 'Options on the kernel command line; root= is added by Iguana.' }),
});

const referenceSchema = z
  .string()
  .max(2048)
  // A manifest is kept in the history and shown to everybody who may see it.
  .regex(
    /^(oci:\/|docker:\/\/|https?:\/\/)(?![^/]*@)[!-~]+$/,
    'oci:/FOLDER, docker://HOST/REPOSITORY or http(s)://HOST/FOLDER, without user and password',
  );

/** An image that was built elsewhere: nothing is built, and what it holds is what is installed. */
export const imageFromSchema = z.strictObject({
  reference: referenceSchema.meta({
    description:
      'Where it is: docker://HOST/REPOSITORY, http(s)://HOST/FOLDER of a web server, or oci:/FOLDER of the builder.',
  }),
  digest: digestSchema.meta({
    description:
      'Digest of its manifest, as `iguana image inspect` shows it: a tag may be moved, a digest not.',
  }),
  mirrors: z
    .array(referenceSchema)
    .max(16)
    .default([])
    .meta({ description: 'Further places with the same image, asked where one fails or is slow.' }),
  keys: z
    .array(
      z
        .string()
        .max(4096)
        .regex(/^\s*-----BEGIN PUBLIC KEY-----/, 'a public key in PEM, as `cosign public-key` shows it'),
    )
    .max(16)
    .default([])
    .meta({ description: 'Public keys, PEM; one of them must have signed the image.' }),
  signedIdentity: z
    .string()
    .min(1)
    .max(2048)
    .optional()
    .meta({ description: 'The name that must have been signed with it; default any.' }),
  insecureUnsigned: z.boolean().default(false).meta({
    description: 'Installs it although nobody needs to have signed it; only without `keys`.',
  }),
  plainHttp: z.boolean().default(false).meta({
    description:
      'Speaks with the registry without TLS; whatever comes is compared with `digest` all the same.',
  }),
});

/** The image part of a profile. */
export const imageSchema = z.strictObject({
  distribution: z.enum(['debian']).meta({ description: 'The distribution.' }),
  release: z
    .string()
    .regex(/^[a-z0-9.-]+$/, 'a release code name, e.g. trixie')
    .meta({ description: 'Code name of the release, e.g. trixie.' }),
  architecture: z.enum(['amd64']).meta({ description: "The distribution's name of the architecture." }),
  builder: z.enum(['mmdebstrap']).meta({ description: 'The engine that builds the image.' }),
  variant: z
    .enum(['essential', 'minbase', 'standard'])
    .meta({ description: "mmdebstrap's base set of packages, before `packages`." }),
  packages: z.array(packageNameSchema).meta({ description: 'Packages to install; layers add to the list.' }),
  recommends: z.boolean().meta({ description: 'Install recommended packages too.' }),
  repositories: z.array(repositorySchema).meta({ description: 'Where packages come from; merged by name.' }),
  kernel: kernelSchema.meta({ description: 'The kernel and its command line.' }),
  files: z.array(fileSchema).meta({ description: 'Files to add; merged by path.' }),
  services: z
    .array(serviceSchema)
    .meta({ description: 'systemd units to enable, disable or mask; merged by name.' }),
  locale: z
    .string()
    .max(64)
    .regex(/^[A-Za-z_]+(\.[A-Za-z0-9-]+)?(@[a-z]+)?$/, 'a locale, e.g. C.UTF-8 or de_DE.UTF-8')
    .meta({ description: 'Locale, e.g. C.UTF-8 or de_DE.UTF-8.' }),
  keyboard: z
    .string()
    .max(64)
    .regex(/^[a-z]{2,}(-[a-z0-9]+)*$/, 'a keyboard layout, e.g. us or de')
    .meta({ description: 'Keyboard layout of the console, e.g. us or de.' }),
  timezone: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/, 'a time zone, e.g. Europe/Berlin')
    .meta({ description: 'Time zone, e.g. Europe/Berlin.' }),
  scripts: z
    .array(scriptSchema)
    .meta({ description: 'Scripts run in the image when it is built, in order; merged by name.' }),
  sourceDateEpoch: z.number().int().nonnegative().max(4_294_967_295).meta({
    description: 'Seconds since 1970 that the build uses for all its time stamps (reproducible-builds.org).',
  }),
  from: imageFromSchema.optional().meta({
    description:
      'An image that was built elsewhere, instead of building one; what describes a build is left out then.',
  }),
  revision: z
    .string()
    .max(64)
    .meta({ description: 'Any text; a new one builds the image again, e.g. to take in security updates.' }),
});
