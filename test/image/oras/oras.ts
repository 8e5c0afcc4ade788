/** oras, which copies any OCI artifact; built in two minutes on two cores. */
import { fileURLToPath } from 'node:url';
import { goTool, type RunTool } from '../../support/go-tool.ts';

/** Gets oras from the cache, or builds it there. */
export const oras = (): Promise<RunTool> =>
  goTool({
    name: 'oras',
    version: '1.3.0',
    package: 'oras.land/oras/cmd/oras',
    module: fileURLToPath(new URL('.', import.meta.url)),
  });
