/** How all of Iguana's clients and workers convert what goes to Temporal. */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { StatePaths } from '../state.ts';
import { IguanaCodec } from './codec.ts';
import { CodecKeys } from './keys.ts';

/** Path of the failure converter: beside this file; where everything is bundled into one, beside that. */
export const FAILURE_CONVERTER = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? './failure-converter.ts' : './failure-converter.js',
    import.meta.url,
  ),
);

/** For machines: the gateway encrypts and decrypts, since no machine may have the keys. */
export const MACHINE_CONVERTER: DataConverter = { failureConverterPath: FAILURE_CONVERTER };

/** @returns the converter for clients and workers that speak with Temporal directly */
export const dataConverter = (paths: Pick<StatePaths, 'root'>): DataConverter => ({
  ...MACHINE_CONVERTER,
  payloadCodecs: [new IguanaCodec(new CodecKeys(paths))],
});
