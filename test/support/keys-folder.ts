/** A state folder with keys of payloads, for one test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Payload } from '@temporalio/common';
import { IguanaCodec } from '../../host/codec/codec.ts';
import { CodecKeys } from '../../host/codec/keys.ts';

/** Gone at the end of the block that has it. */
export class KeysFolder implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'iguana-codec-'));
  readonly keys = new CodecKeys({ root: this.root });
  readonly codec = new IguanaCodec(this.keys);

  /** What another process of this state folder has. */
  another(): { readonly keys: CodecKeys; readonly codec: IguanaCodec } {
    const keys = new CodecKeys({ root: this.root });
    return { keys, codec: new IguanaCodec(keys) };
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

/** A payload as the SDK makes one of a JSON value. */
export const payloadOf = (value: unknown): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});

/** @returns the value of a payload that {@link payloadOf} made */
export const jsonOf = ({ data }: Payload): unknown => JSON.parse(Buffer.from(data ?? []).toString());
