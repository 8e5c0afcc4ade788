/** Media types of an Iguana image; see docs/image-format.md. */

/** What makes an OCI manifest (image-spec v1.1, manifest.md, "artifactType") an Iguana image. */
export const ARTIFACT_TYPE = 'application/vnd.iguana.image.v1';
/** JSON that names the parts of the image. */
export const CONFIG_TYPE = 'application/vnd.iguana.image.config.v1+json';
/** A chunk table: where the bytes of one part are. Binary, compressed with zstd (RFC 8878). */
export const TABLE_TYPE = 'application/vnd.iguana.image.table.v1+zstd';
/** A file that belongs to the image and is on none of its disks, as it is. */
export const ATTACHMENT_TYPE = 'application/vnd.iguana.image.attachment.v1';
/** Chunks one after the other, each a zstd frame of its own. */
export const PACK_TYPE = 'application/vnd.iguana.image.pack.v1';
