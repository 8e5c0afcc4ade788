/** systemd-boot's stub: the part of a unified kernel image that firmware starts. */
import { rm } from 'node:fs/promises';
import { makeUserland, type Userland, userlandKey } from '../containers/debian.ts';
import { cachedLayer, type Layer } from '../containers/layer.ts';
import { runTool } from './run-tool.ts';

const PACKAGE: Userland = { variant: 'extract', packages: ['systemd-boot-efi'] };
const STUB = './usr/lib/systemd/boot/efi/linuxx64.efi.stub';

/**
 * The stub of Debian 13, from the cache or from its package; the host's may be older, and may not be there.
 * @param folder the cache of layers
 * @throws Error with what mmdebstrap or bsdtar said
 */
export async function uefiStub(folder: string, onLine: (line: string) => void): Promise<Layer> {
  return await cachedLayer(folder, { stub: STUB, userland: userlandKey(PACKAGE) }, async (path) => {
    const archive = `${path}.package`;
    try {
      await makeUserland(PACKAGE, archive, onLine);
      await runTool('bsdtar', ['--extract', '--to-stdout', '--file', archive, STUB], {
        doing: 'taking the stub out of systemd-boot-efi',
        from: 'libarchive-tools',
        stdout: path,
      });
    } finally {
      await rm(archive, { force: true });
    }
  });
}
