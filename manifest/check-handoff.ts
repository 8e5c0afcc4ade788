/** Handoffs that cannot be, or whose outcome nobody would know. */
import type { Complain } from './plan-context.ts';
import type { PlanTarget } from './plan-types.ts';
import type { CompleteProfile } from './schema/profile.ts';

/** Judges the handoff on its own. */
export function checkHandoff({ handoff, confirmation }: CompleteProfile, complain: Complain): void {
  if (handoff.action === 'virtual-machine' && confirmation.wait === 'none') {
    complain(
      ['confirmation', 'wait'],
      'a virtual machine is run for as long as its first boot is waited for, so that it would not run at all',
      { allowed: 'first-boot' },
    );
  }
}

/** What can be done with the finished disk, by what is installed onto. */
const ACTIONS: Readonly<Record<PlanTarget['kind'], readonly CompleteProfile['handoff']['action'][]>> = {
  machine: ['none', 'reboot', 'kexec', 'poweroff'],
  device: ['none'],
  file: ['none', 'virtual-machine'],
};

/** Judges whether the handoff is possible with what is installed onto. */
export function checkHandoffTarget(
  { handoff }: CompleteProfile,
  target: PlanTarget,
  complain: Complain,
): void {
  const allowed = ACTIONS[target.kind];
  if (allowed.includes(handoff.action)) return;
  const why = {
    machine: 'the machine itself is installed',
    device: 'the disk belongs to a host that stays up',
    file: 'the disk is an image file',
  }[target.kind];
  complain(['handoff', 'action'], `it is not possible where ${why}`, { allowed: allowed.join(', ') });
}
