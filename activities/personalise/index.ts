/** The steps that make one machine of an image: personalise, bootloader, verify. */
import { installBootloader } from '../bootloader/bootloader.ts';
import type { AgentActivities } from '../contract.ts';
import type { ImageLibrary } from '../images/library.ts';
import { verify } from '../verify/verify.ts';
import { personalise } from './personalise.ts';
import type { SecretSource } from './secret-source.ts';

/** The steps of a machine that finds its secrets and its images there. */
export function personaliseActivities(
  secrets: SecretSource,
  images: ImageLibrary,
): Pick<AgentActivities, 'personalise' | 'installBootloader' | 'verify'> {
  return {
    personalise: (input) => personalise(secrets, input),
    installBootloader: (input) => installBootloader(images, input),
    verify: (input) => verify(images, input),
  };
}
