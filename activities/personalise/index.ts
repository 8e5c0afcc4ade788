/** The steps that make one machine of an image: personalise, bootloader, verify. */
import type { StatePaths } from '../../host/state.ts';
import { installBootloader } from '../bootloader/bootloader.ts';
import type { AgentActivities } from '../contract.ts';
import type { ImageLibrary } from '../images/library.ts';
import { verify } from '../verify/verify.ts';
import { personalise } from './personalise.ts';

/** @param paths where secrets are */
export function personaliseActivities(
  paths: StatePaths,
  images: ImageLibrary,
): Pick<AgentActivities, 'personalise' | 'installBootloader' | 'verify'> {
  return {
    personalise: (input) => personalise(paths, input),
    installBootloader: (input) => installBootloader(images, input),
    verify: (input) => verify(images, input),
  };
}
