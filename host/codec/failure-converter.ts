/**
 * Loaded by Temporal's SDK by its path, in workflows too: messages and stack traces of failures are payloads as well, which the codec
 * encrypts. Otherwise they would stand in histories in clear text, and with them whatever a tool said.
 */
import { DefaultFailureConverter } from '@temporalio/common';

/** The export that the SDK looks for. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
