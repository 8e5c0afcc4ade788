/** Replays every recorded history: a workflow that decides differently now than when it was recorded fails here. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import { dataConverter, FAILURE_CONVERTER } from '../../host/codec/data-converter.ts';
import { KeysFolder } from '../support/keys-folder.ts';

const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));
const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

const files = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));
const read = (name: string) => historyFromJSON(JSON.parse(readFileSync(`${HISTORIES}/${name}`, 'utf8')));

Runtime.install({ logger: new DefaultLogger('ERROR') });

let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath,
    failureConverterPath: FAILURE_CONVERTER,
    logger: new DefaultLogger('WARN'),
  });
});

describe('recorded histories', () => {
  it('exist for each workflow', () => {
    const types = files.map(
      (name) => read(name).events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name,
    );
    expect([...new Set(types)].sort()).toEqual(['buildImage', 'installMachine', 'runMachine']);
  });

  it.each(files)('%s replays', async (name) => {
    // As the control worker has it: what was recorded without encryption goes on.
    using keys = new KeysFolder();
    await Worker.runReplayHistory({ workflowBundle, dataConverter: dataConverter(keys) }, read(name));
  });

  it('fail the replay when the workflow would decide otherwise', async () => {
    const name = files.find((file) => file.startsWith('install-'));
    const history = read(name ?? '');
    const scheduled = history.events?.find(
      ({ activityTaskScheduledEventAttributes: a }) => a,
    )?.activityTaskScheduledEventAttributes;
    if (!scheduled?.activityType) throw new Error('the history schedules no activity');
    scheduled.activityType.name = 'somethingElse';
    await expect(Worker.runReplayHistory({ workflowBundle }, history)).rejects.toBeInstanceOf(
      DeterminismViolationError,
    );
  });
});
