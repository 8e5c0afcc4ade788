/** cosign itself, the judge of signatures; built in three minutes on two cores. */
import { fileURLToPath } from 'node:url';
import { goTool, type RunTool } from '../../support/go-tool.ts';

/** Runs cosign. */
export type Cosign = RunTool;

/** Gets cosign from the cache, or builds it there. */
export const cosign = (): Promise<Cosign> =>
  goTool({
    name: 'cosign',
    version: '2.6.5',
    package: 'github.com/sigstore/cosign/v2/cmd/cosign',
    module: fileURLToPath(new URL('.', import.meta.url)),
  });
