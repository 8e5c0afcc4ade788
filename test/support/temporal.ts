/** A real Temporal server for tests of workflows: the project's own binary, in memory, on a free port. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { statePaths } from '../../host/state.ts';
import { supplyTemporal } from '../../host/temporal/supply.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/api.ts';

/** Starts one; the test tears it down with `teardown()`. */
export async function startTemporal(): Promise<TestWorkflowEnvironment> {
  const { path } = await supplyTemporal(statePaths(), console.log);
  return await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      searchAttributes: Object.values(SEARCH_ATTRIBUTES).map((name) =>
        defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
      ),
    },
  });
}
