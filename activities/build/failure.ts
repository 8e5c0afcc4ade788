/** Why a build failed, in the terms of the catalogue. */
import { statfs } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/common';
import { EngineFailed, EngineMissing } from '../../host/engine/errors.ts';
import type { StatePaths } from '../../host/state.ts';
import { TableFileError } from '../../image/io-error.ts';
import { FAILURES, type FailureType, failure } from '../failures.ts';
import { tableFileFailure } from '../images/failures.ts';
import type { BuildLog } from './build-log.ts';
import { explainPackages } from './package-failure.ts';
import { BuilderStopped, isTreeFull } from './run-builder.ts';

/** The failure for what went wrong during a build; it names the log and carries its end. */
export async function asBuildFailure(
  error: unknown,
  log: BuildLog,
  paths: StatePaths,
): Promise<ApplicationFailure> {
  if (error instanceof ApplicationFailure) return error;
  const context = { log: log.path, excerpt: log.excerpt };
  const words = error instanceof Error ? error.message : String(error);
  const make = (type: FailureType, why: string): ApplicationFailure =>
    failure(type, `building the image: ${why}; the log is ${log.path}`, { cause: error, context });
  if (error instanceof EngineMissing) return make('EngineMissing', words);
  // Its folder is not the store's.
  if (error instanceof TableFileError) return tableFileFailure(error, 'building the image');
  if (isFull(error) || (error instanceof BuilderStopped && isTreeFull(log))) {
    const { bavail, bsize } = await statfs(paths.store);
    return make(
      'StoreFull',
      `no space is left in ${paths.store} (${Number(bavail) * Number(bsize)} bytes free)`,
    );
  }
  if (error instanceof EngineFailed) return make('EngineFailed', words);
  if (!(error instanceof BuilderStopped)) return make('Unexpected', words);
  const { stated, step } = error;
  if (stated && isType(stated.type)) {
    const said = log.lines.findLast((line) => line.startsWith('iguana: '))?.slice('iguana: '.length);
    return make(stated.type, said ?? `${stated.subject} failed`);
  }
  const explained = explainPackages(log.lines);
  if (explained) return make(explained.type, explained.why);
  return make('BuildFailed', `step ${step} ended with status ${error.status}`);
}

const isType = (type: string): type is FailureType => type in FAILURES;

/** @returns whether writing failed for want of space, anywhere in the chain of causes */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'ENOSPC') || isFull(error.cause);
}
