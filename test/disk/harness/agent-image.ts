/** The image of the agent container. */

/** @returns its reference, built where it is missing */
export async function agentImage(): Promise<string> {
  return 'iguana-diskdev';
}
