/** Files that `iguana boot build` is given; what is wrong with them is said before anything is made. */
import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { usageError } from '../errors.ts';

/** @throws usage error where the file holds anything but one word */
export async function tokenIn(file: string): Promise<string> {
  const doing = `reading --token-file ${file}`;
  const remedy = '`iguana machine token create` shows a token; put it into a file, alone.';
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw usageError(`${doing}: ${cause.message}`, { remedy });
  });
  if (/^\S+$/.test(text.trim())) return text.trim();
  throw usageError(`${doing}: it holds no token`, { remedy });
}

/** @throws usage error where one of the files is none */
export async function dracutSystem(
  kernel: string,
  initrd: string,
): Promise<{ kernel: string; initrd: string }> {
  for (const [option, file] of Object.entries({ '--kernel': kernel, '--initrd': initrd })) {
    const found = await stat(file).catch((cause: Error) => {
      throw usageError(`reading ${option} ${file}: ${cause.message}`);
    });
    if (!found.isFile() || found.size === 0)
      throw usageError(`reading ${option} ${file}: it is no file, or empty`);
  }
  return { kernel, initrd };
}

/** @throws BadKey */
export async function publicKeyIn(file: string): Promise<string> {
  const { readPublicKey } = await import('../../image/signature/public-key.ts');
  await readPublicKey(file);
  return await readFile(file, 'utf8');
}

/** @throws usage error where the file holds no certificate */
export async function certificateIn(file: string): Promise<string> {
  const doing = `reading --registry-ca ${file}`;
  const pem = await readFile(file, 'utf8').catch((cause: Error) => {
    throw usageError(`${doing}: ${cause.message}`);
  });
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw usageError(
      `${doing}: it holds no certificate in PEM: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
  return pem;
}

/** @throws usage error with every mistake in it */
export async function workflowFileIn(file: string): Promise<string> {
  const doing = `reading --control ${file}`;
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw usageError(`${doing}: ${cause.message}`);
  });
  const [{ checkWorkflowFile }, { formatDiagnostics }] = await Promise.all([
    import('../../manifest/workflow-file/check.ts'),
    import('../../manifest/diagnostics.ts'),
  ]);
  const { diagnostics } = checkWorkflowFile(text, file);
  if (diagnostics.length === 0) return text;
  throw usageError(`${doing}: it cannot be run\n${formatDiagnostics(diagnostics)}`, {
    remedy: 'Correct it; docs/boot.md says what a workflow file may say.',
  });
}
