/** What an operator can say of the boot endpoint, by its environment. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';

/** Variables of the boot endpoint; it exists where the folder is named. */
export const bootVariables = {
  /** What `iguana boot build` has made. */
  IGUANA_BOOT_FOLDER: z
    .string()
    .refine((path) => isAbsolute(path), 'it is no absolute path')
    .optional(),
  /** Where firmware is served; other addresses than loopback only when told. */
  IGUANA_BOOT_HOST: z.string().min(1).default('127.0.0.1'),
  IGUANA_BOOT_PORT: z.coerce.number().int().min(0).max(65_535).default(7282),
  /** Address of the gateway as machines reach it; default: the name by which they reach this endpoint. */
  IGUANA_BOOT_SERVER: z
    .string()
    .regex(/^https:\/\/[^/\s]+$/, 'it is no address like https://10.0.0.1:7281')
    .optional(),
  /** A file with the token that is put into scripts, which anybody can fetch. */
  IGUANA_BOOT_TOKEN_FILE: z.string().min(1).optional(),
  /** Further words for the kernel. Without `quiet` it shows all of its words at its start, the token too. */
  IGUANA_BOOT_CMDLINE: z
    .string()
    .regex(/^[^\r\n]*$/, 'it has more than one line')
    .default('quiet'),
} as const;

/** The boot endpoint as an operator wants it. */
export interface BootSettings {
  readonly folder: string;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly server?: string;
  readonly tokenFile?: string;
  readonly commandLine: string;
}

/** @returns undefined where no folder is named: then there is no such endpoint */
export function bootSettings(it: z.infer<z.ZodObject<typeof bootVariables>>): BootSettings | undefined {
  if (it.IGUANA_BOOT_FOLDER === undefined) return undefined;
  return {
    folder: it.IGUANA_BOOT_FOLDER,
    host: it.IGUANA_BOOT_HOST,
    port: it.IGUANA_BOOT_PORT,
    commandLine: it.IGUANA_BOOT_CMDLINE,
    ...(it.IGUANA_BOOT_SERVER !== undefined && { server: it.IGUANA_BOOT_SERVER }),
    ...(it.IGUANA_BOOT_TOKEN_FILE !== undefined && { tokenFile: it.IGUANA_BOOT_TOKEN_FILE }),
  };
}
