/** The activities of a machine's own task queue. */
import { readSecret } from '../host/secrets.ts';
import type { StatePaths } from '../host/state.ts';
import type { AgentActivities } from './contract.ts';
import { diskActivities } from './disk-steps.ts';
import { imageLibrary } from './images/from-environment.ts';
import type { ImageLibrary } from './images/library.ts';
import { personaliseActivities } from './personalise/index.ts';
import type { SecretSource } from './personalise/secret-source.ts';

/** Where an agent gets what it installs. */
export interface AgentSources {
  readonly images: ImageLibrary;
  readonly secrets: SecretSource;
}

/** All of them; one that is missing does not compile. */
export function agentActivities({ images, secrets }: AgentSources): AgentActivities {
  return { ...diskActivities(images), ...personaliseActivities(secrets, images) };
}

/** What lies on the host that the agent runs on; its images may be elsewhere, by the environment. */
export function hostSources(paths: StatePaths): AgentSources {
  return { images: imageLibrary(paths), secrets: (name) => readSecret(paths, name) };
}
