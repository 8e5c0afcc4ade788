/** Secrets for machines: each gets those that the manifest of its own running install names, and no other. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { readSecret } from '../host/secrets.ts';
import type { StatePaths } from '../host/state.ts';
import type { Manifest } from '../manifest/schema/manifest.ts';
import { installWorkflowId, QUERIES } from '../workflows/api.ts';

/** The answer to a machine: the value, or why there is none. */
export type SecretAnswer =
  | { readonly value: string }
  /** Its install does not name it, or there is no install. */
  | { readonly denied: true }
  | { readonly missing: true };

/** Reads secrets for machines. */
export class MachineSecrets {
  readonly #client: Client;
  readonly #paths: Pick<StatePaths, 'secrets'>;

  constructor(client: Client, paths: Pick<StatePaths, 'secrets'>) {
    this.#client = client;
    this.#paths = paths;
  }

  /** @throws Error where Temporal cannot be asked */
  async read(machineId: string, name: string): Promise<SecretAnswer> {
    if (!(await this.#named(machineId)).has(name)) return { denied: true };
    const value = await readSecret(this.#paths, name);
    return value === undefined ? { missing: true } : { value };
  }

  async #named(machineId: string): Promise<ReadonlySet<string>> {
    const handle = this.#client.workflow.getHandle(installWorkflowId(machineId));
    try {
      const { status } = await handle.describe();
      if (status.name !== 'RUNNING') return new Set();
      const manifest = await handle.query<Manifest | null>(QUERIES.manifest);
      return new Set(
        (manifest?.machine.users ?? []).flatMap(({ passwordHash }) =>
          typeof passwordHash === 'object' ? [passwordHash.secret] : [],
        ),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return new Set();
      throw error;
    }
  }
}
