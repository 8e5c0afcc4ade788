/** Images of the store for machines: all blobs by their digests, and each image as an OCI layout (image-spec v1.1, image-layout.md). */
import send from '@fastify/send';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OCI_MANIFEST } from '../image/transfer/oci-manifest.ts';
import { ImageStore } from '../store/store.ts';

const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
const HEX = /^[0-9a-f]{64}$/;

/** What the routes need. */
export interface ImageRouteOptions {
  /** Folder of the store. */
  readonly folder: string;
  /** Whether the caller may have images; where not, it has been answered. */
  readonly isMachine: (request: FastifyRequest, reply: FastifyReply) => Promise<boolean>;
}

/** Adds the routes. An image is named as in the store, by 64 hex digits. */
export function imageRoutes(app: FastifyInstance, { folder, isMachine }: ImageRouteOptions): void {
  const store = new ImageStore(folder);

  async function serveBlob(
    request: FastifyRequest<{ Params: { hex: string } }>,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (!(await isMachine(request, reply))) return reply;
    const { hex } = request.params;
    if (!HEX.test(hex)) return reply.code(404).send({ error: 'a blob is named by 64 hex digits' });
    // The content never changes: its name is its digest.
    const { statusCode, headers, stream } = await send(request.raw, `/blobs/sha256/${hex}`, {
      root: folder,
      contentType: false,
      immutable: true,
      maxAge: '1y',
    });
    return reply.code(statusCode).headers(headers).type('application/octet-stream').send(stream);
  }

  app.get('/images/blobs/sha256/:hex', serveBlob);
  // The blobs of the whole store: to ask at each range whether this image has it would be to look at all files of the image.
  app.get('/images/:image/blobs/sha256/:hex', serveBlob);

  app.get<{ Params: { image: string; file: string } }>('/images/:image/:file', async (request, reply) => {
    if (!(await isMachine(request, reply))) return reply;
    const { image, file } = request.params;
    const record = HEX.test(image) ? await store.find(`sha256:${image}`) : undefined;
    if (!record) return reply.code(404).send({ error: 'no whole image has this name in the store' });
    const { digest, sizeBytes: size } = record.image;
    switch (file) {
      case 'oci-layout':
        return { imageLayoutVersion: '1.0.0' };
      case 'index.json': {
        const manifests = [{ mediaType: OCI_MANIFEST, digest, size }];
        return reply.type(OCI_INDEX).send({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
      }
      default:
        return reply.code(404).send({ error: 'an OCI layout has oci-layout, index.json and blobs/' });
    }
  });
}
