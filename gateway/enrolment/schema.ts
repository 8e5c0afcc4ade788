/** What strangers may send: every field with its limit. */
import { z } from 'zod';
import type { EnrolRequest, RenewRequest } from '../../host/enrolment/api.ts';

/** A request for P-384 in PEM has 500 bytes; some tools add extensions. */
const csr = z.string().min(64).max(4_096);

const mac = z
  .string()
  .regex(/^(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/)
  .toLowerCase();

/** Shown to operators: no control characters that a terminal would obey. */
const shown = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\p{L}\p{N}\p{P}\p{S}\p{Zs}]*$/u);

const identity = z
  .object({
    uuid: z.string().max(64).exactOptional(),
    macs: z.array(mac).max(64),
    facts: z
      .record(shown(64), shown(256))
      .refine((facts) => Object.keys(facts).length <= 32, 'has more than 32 facts')
      .exactOptional(),
  })
  .strict();

/** Body of `POST /v1/enrol`. What a newer boot image says besides is left out: a gateway lets in machines of any version. */
export const enrolSchema: z.ZodType<EnrolRequest> = z.object({
  csr,
  token: z.string().min(16).max(256).exactOptional(),
  identity,
  bootId: z.uuid().toLowerCase().exactOptional(),
  refused: z.array(shown(512)).max(5).exactOptional(),
});

/** Body of `POST /v1/renew`. */
export const renewSchema: z.ZodType<RenewRequest> = z.object({ csr }).strict();
