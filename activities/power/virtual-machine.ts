/** Running a disk image in QEMU on this host. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Context } from '@temporalio/activity';
import { readJsonFile, writeJsonFile } from '../../host/json-file.ts';
import type { StatePaths } from '../../host/state.ts';
import type { VirtualMachineInput } from '../contract.ts';
import { failure } from '../failures.ts';
import { reportProgress } from '../progress.ts';
import { chooseAccelerator } from './accelerator.ts';
import { ensureVariables, exists, findFirmware } from './firmware.ts';
import { ensureMachineFolders, type MachineFiles, machineFiles } from './machine-files.ts';
import { QEMU, qemuArguments } from './qemu-arguments.ts';
import { findQemu, untilEnded } from './qemu-process.ts';
import { Qmp } from './qmp.ts';

/** A guest that shuts down properly needs seconds; under TCG tens of them. */
const POWER_DOWN_MS = 60_000;
/** QEMU itself ends at once, unless it hangs in the kernel. */
const QUIT_MS = 5_000;
/** QEMU opens its socket before it starts the guest. */
const CONNECT_ATTEMPTS = 100;
const CONNECT_WAIT_MS = 100;
/** Enough of QEMU's words to see why it ended. */
const KEPT_CHARACTERS = 2_000;

/**
 * Runs the machine until its guest switches it off. A QEMU that an earlier attempt left behind is taken over; QEMU
 * outlives the worker on purpose, since the machine must not lose power because of us.
 * Only a cancellation that was asked for ends it: the power button is pressed, and the plug pulled when that does not
 * help.
 * @throws failure `VirtualMachineFailed` where QEMU does not start, or ends without the guest; `ToolMissing`
 */
export async function runVirtualMachine(paths: StatePaths, input: VirtualMachineInput): Promise<void> {
  const files = machineFiles(paths, input.machineId);
  await ensureMachineFolders(paths, files);
  const running = (await adopt(files, input)) ?? (await start(files, input));
  const context = Context.current();
  const { cancellationSignal } = context;
  const { pid, qmp } = running;
  reportProgress({ step: 'machine is running', message: `console: ${files.console}` });
  try {
    if (await untilEnded(files, pid, { signal: cancellationSignal })) {
      await qmp.heardAll;
      if (qmp.guestShutDown) return;
      throw failure(
        'VirtualMachineFailed',
        `running ${input.machineId}: QEMU ended by itself: ${await lastWords(files)}`,
        {
          context: { console: files.console },
        },
      );
    }
    // A worker that shuts down, or an attempt that the server has given up: the next attempt takes the machine over.
    if (context.cancellationDetails?.cancelRequested) await stop(files, running);
  } finally {
    qmp.close();
  }
  cancellationSignal.throwIfAborted();
}

interface Running {
  readonly pid: number;
  readonly qmp: Qmp;
}

/** Takes over a QEMU that runs with the same settings; one with others is ended, since two must not share a disk. */
async function adopt(files: MachineFiles, input: VirtualMachineInput): Promise<Running | undefined> {
  const pid = await findQemu(files);
  if (pid === undefined) return undefined;
  const running = { pid, qmp: await connectTo(files, pid) };
  if (isDeepStrictEqual(await readJsonFile<VirtualMachineInput>(files.settings), input)) return running;
  try {
    await stop(files, running);
  } finally {
    running.qmp.close();
  }
  return undefined;
}

async function start(files: MachineFiles, input: VirtualMachineInput): Promise<Running> {
  const doing = `starting ${input.machineId} from ${input.path}`;
  if (!(await exists(input.path))) {
    throw failure('VirtualMachineFailed', `${doing}: there is no such disk image`);
  }
  const firmware = await findFirmware();
  await ensureVariables(firmware, files.folder);
  reportProgress({ step: 'choose accelerator' });
  const accelerator = await chooseAccelerator(firmware);
  reportProgress({ step: 'start', message: accelerator });
  Context.current().cancellationSignal.throwIfAborted();
  await writeJsonFile(files.settings, input);
  const log = await open(files.log, 'w', 0o600);
  try {
    const child = spawn(QEMU, qemuArguments(input, files, firmware, accelerator), {
      cwd: files.folder,
      // A session of its own: what ends the worker, a Ctrl-C in its terminal too, does not end the machine.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn');
    child.unref();
    const pid = child.pid ?? 0;
    return { pid, qmp: await connectTo(files, pid, doing) };
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw failure('ToolMissing', `${doing}: ${QEMU} is not installed`, { cause, context: { tool: QEMU } });
    }
    throw cause;
  } finally {
    await log.close();
  }
}

async function connectTo(files: MachineFiles, pid: number, doing = 'taking over the machine'): Promise<Qmp> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Qmp.connect(files);
    } catch (cause) {
      const hasEnded = await untilEnded(files, pid, { deadlineMs: 0 });
      if (hasEnded || attempt === CONNECT_ATTEMPTS) {
        throw failure('VirtualMachineFailed', `${doing}: QEMU said: ${await lastWords(files)}`, {
          cause,
          context: { console: files.console },
        });
      }
      await sleep(CONNECT_WAIT_MS);
    }
  }
}

/** The power button first; then QEMU is asked to end, which still flushes the disk; then it is killed. */
async function stop(files: MachineFiles, { pid, qmp }: Running): Promise<void> {
  for (const [command, deadlineMs] of [
    ['system_powerdown', POWER_DOWN_MS],
    ['quit', QUIT_MS],
  ] as const) {
    reportProgress({ step: 'stop', message: command });
    const sent = await qmp.command(command).then(
      () => true,
      () => false,
    );
    // A command that finds the connection closed means that QEMU is ending already.
    if (await untilEnded(files, pid, { deadlineMs: sent ? deadlineMs : QUIT_MS })) return;
  }
  process.kill(pid, 'SIGKILL');
  if (!(await untilEnded(files, pid, { deadlineMs: QUIT_MS }))) {
    throw failure('VirtualMachineFailed', `stopping the machine: QEMU (process ${pid}) cannot be killed`);
  }
}

async function lastWords(files: MachineFiles): Promise<string> {
  const text = (await readFile(files.log, 'utf8')).trim();
  return text === '' ? 'nothing' : text.slice(-KEPT_CHARACTERS);
}
