/** Signing containers, as the owner of a key does. */
import { join } from 'node:path';
import { type Cosign, cosign } from '../image/cosign/cosign.ts';
import { folderWith } from '../image/servers/folder.ts';

const PASSWORD = { COSIGN_PASSWORD: '' };

/** A pair of keys of cosign. */
export class Signing {
  /** Path of both, without their endings. */
  readonly keys: string;
  readonly #cosign: Cosign;

  private constructor(keys: string, run: Cosign) {
    this.keys = keys;
    this.#cosign = run;
  }

  static async create(): Promise<Signing> {
    const run = await cosign();
    const folder = folderWith();
    const signing = new Signing(join(folder, 'cosign'), run);
    await signing.#run(['generate-key-pair'], folder);
    return signing;
  }

  /**
   * Signs a container in a registry of this host.
   * @param image with its digest
   * @param identity its repository, as those name it who verify
   */
  async sign(image: string, identity: string): Promise<void> {
    const words = [
      'sign',
      '--key',
      `${this.keys}.key`,
      '--tlog-upload=false',
      '--yes',
      '--allow-insecure-registry',
    ];
    const args = [...words, '--sign-container-identity', identity, image];
    await this.#run(args);
  }

  /** Signs a file; the signature is put beside it. */
  async signFile(path: string): Promise<void> {
    const words = ['sign-blob', '--key', `${this.keys}.key`, '--tlog-upload=false', '--yes'];
    const args = [...words, '--output-signature', `${path}.sig`, path];
    await this.#run(args);
  }

  /** @throws Error with what cosign said */
  async #run(args: readonly string[], cwd?: string): Promise<void> {
    const { exitCode, said } = await this.#cosign(args, { env: PASSWORD, ...(cwd && { cwd }) });
    if (exitCode !== 0) throw new Error(`cosign ${args[0]}: ${said}`);
  }
}
