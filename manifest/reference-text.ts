/** The parts of the reference that no schema can say. */

/** What stands before the profile's tables. */
export const INTRODUCTION = `# The manifest

What is installed is described by two documents, in YAML or JSON:

- a **profile** is what people write. Any part of it may be missing, and profiles are layered;
- the **manifest** is what Iguana makes of profiles and the facts of one machine: complete, with no choice left open.

\`iguana manifest validate PROFILE…\` finds all mistakes of profiles at once. \`iguana manifest plan PROFILE…\` shows the
manifest. \`iguana manifest schema\` prints the JSON Schema; editors that know the YAML language server complete and check a
profile whose first line is

\`\`\`yaml
# yaml-language-server: $schema=manifest/published/profile.schema.json
\`\`\`

Examples: [minimal](examples/minimal.yaml), [server](examples/server.yaml), [demo](examples/demo.yaml).

A document has at most 1 MiB, with the files that it names by \`source:\` read in. Anchors, aliases, tags, duplicate keys and
several documents in one file are refused. Numbers in \`mode\` must be quoted.

## Layers

Layers are merged in their order: defaults ← site ← role ← machine. What a later layer says wins.

| what | how it is merged |
|---|---|
| a value, e.g. \`image.timezone\` | the later one |
| a map, e.g. \`storage.disk\` | key by key |
| a list of named things | by key; an entry of a later layer may hold only what it changes |
| \`image.packages\`, \`image.kernel.cmdline\` | added to; \`-NAME\` removes NAME |
| any other list, e.g. \`machine.users[].sshKeys\` | the later one as a whole |

Named things are known by \`name\` (repositories, services, scripts, network, users, groups, firstBoot), \`path\` (files) or
\`label\` (partitions). An entry keeps the place that it had in the earlier layer; new ones come after it. An entry with
\`remove: true\` removes that of earlier layers:

\`\`\`yaml
apiVersion: iguana/v1
kind: Profile
image:
  packages: [nginx, -iproute2]     # adds one, removes one
storage:
  partitions:
    - label: root                  # changes one field of the partition of the defaults
      size: 20G
    - label: data
      type: linux-generic
      size: rest
      filesystem: xfs
      mountPoint: /data
machine:
  users:
    - name: guest
      remove: true
\`\`\`

## Which disk

All conditions in \`storage.disk.match\` must hold; a condition on something that a disk does not tell does not hold. The
medium that the installer was started from and disks that are read-only are never meant. The others are ordered by
\`order\` (then by identity), and \`limit\` takes the first. Exactly one disk must remain: several are an error, never a guess.
When that one is in use, or holds data under \`existingData: refuse\`, this is an error too, and no other disk is taken instead.

With \`iguana install --disk\` only the given disk counts. The conditions must hold for it as well; for a disk image, only the
condition \`size\`.

## Partitions

Partitions lie one after the other at multiples of 1 MiB, with 1 MiB kept free at both ends of the disk for the partition
table and its copy. Exact sizes are rounded up to whole MiB. What they leave is shared equally by the partitions that say
\`rest\` or \`{min: SIZE}\`; a partition whose share would be below its minimum gets the minimum, and the others share the rest.

Smallest sizes: vfat 64 MiB, ext4 32 MiB, btrfs 256 MiB, xfs 300 MiB. One root partition (ext4, xfs or btrfs) and one
ESP (vfat) are needed.

## Secrets

\`passwordHash\` is a crypt(5) hash or \`{ secret: NAME }\`: the name under which \`iguana secret set NAME\` stored one. No
document, history or message holds what is behind the name. A password in the clear is refused, and never shown.`;

/** What stands before the manifest's tables. */
export const MANIFEST_INTRODUCTION = `## Manifest: every field

\`iguana manifest plan\` and \`iguana manifest show\` print it. Part \`image\` holds all that determines the image and nothing of
one machine; its digest is the image's identity. Lists there whose order means nothing are sorted.`;
