/**
 * What the installed system does at its first boot: the manifest's scripts, once each, in order; then the report.
 *
 * A script that fails does not keep the later ones from running, nor the report from being sent: a machine that says
 * which script failed is worth more than one that is silent. The report names the failed ones, the unit of the scripts
 * ends as failed, and their output is in the journal. A script that was cut off (power, or because it restarted the
 * machine) counts as failed and is not run again: scripts run once, and a machine never restarts in circles.
 */
import type { Manifest } from '../../manifest/schema/manifest.ts';
import { failure } from '../failures.ts';
import { directory, type Entries, file } from './entry.ts';
import type { PristineTree } from './pristine.ts';
import { STATE_FOLDER } from './record.ts';
import { enableUnit } from './units.ts';

const FOLDER = `${STATE_FOLDER}/first-boot`;
const SCRIPTS = `${FOLDER}/scripts`;
const UNITS = '/etc/systemd/system';
/** Stamps of finished scripts and the list of failed ones; written by the installed system only. */
const STAMPS = '/var/lib/iguana/first-boot';
/** The one-time token of the report. */
export const TOKEN_FILE = `${FOLDER}/token`;

/** Bytes of randomness of the token; as many as the SHA-256 that stands for it has. */
export const TOKEN_BYTES = 32;

type Script = Manifest['machine']['firstBoot'][number];

/** @returns entries that make the installed system run scripts at its first boot; none where there are none */
export async function scriptEntries(image: PristineTree, scripts: readonly Script[]): Promise<Entries> {
  const entries: Entries = new Map();
  if (scripts.length === 0) return entries;
  entries.set(SCRIPTS, directory(0o700));
  scripts.forEach(({ name, content }, index) => {
    entries.set(`${SCRIPTS}/${String(index + 1).padStart(3, '0')}-${name}`, file(content, 0o700));
  });
  entries.set(`${FOLDER}/run-scripts`, file(RUN_SCRIPTS, 0o700));
  return await withUnit(image, entries, 'iguana-first-boot.service', SCRIPTS_UNIT);
}

/** Where and as whom the installed system reports. */
export interface ReportSettings {
  readonly url: string;
  readonly machineId: string;
  /** Hexadecimal. */
  readonly token: string;
}

/**
 * Entries that make the installed system report its first boot.
 * @throws failure `PersonaliseFailed` where the address is not of a kind that every image can reach without more tools
 */
export async function reportEntries(image: PristineTree, settings: ReportSettings): Promise<Entries> {
  const entries: Entries = new Map();
  entries.set(TOKEN_FILE, file(settings.token, 0o600));
  entries.set(`${FOLDER}/report`, file(reportScript(settings), 0o700));
  return await withUnit(image, entries, 'iguana-report.service', REPORT_UNIT);
}

/**
 * Entries that make the installed system make its own SSH host keys, for images that are cloned; none without sshd.
 * Debian's own sshd-keygen.service does so only on a system that has never been booted (ConditionFirstBoot), which an
 * empty /etc/machine-id is not.
 */
export async function hostKeyUnitEntries(image: PristineTree): Promise<Entries> {
  const entries: Entries = new Map();
  if ((await image.stat('/usr/sbin/sshd')) === undefined) return entries;
  return await withUnit(image, entries, 'iguana-host-keys.service', HOST_KEYS_UNIT);
}

async function withUnit(image: PristineTree, entries: Entries, name: string, unit: string): Promise<Entries> {
  entries.set(`${UNITS}/${name}`, file(unit));
  const links = (await enableUnit(image, name, entries)) ?? new Map();
  return new Map([...entries, ...links]);
}

const SCRIPTS_UNIT = `[Unit]
Description=First-boot scripts of this machine
Wants=network-online.target
After=network-online.target
ConditionPathExists=${SCRIPTS}

[Service]
Type=oneshot
RemainAfterExit=yes
# A script that waits for ever must not keep the machine from reporting.
TimeoutStartSec=1h
ExecStart=/bin/bash ${FOLDER}/run-scripts

[Install]
WantedBy=multi-user.target
`;

const REPORT_UNIT = `[Unit]
Description=Report the first boot to the installer
After=iguana-first-boot.service multi-user.target
ConditionPathExists=${TOKEN_FILE}

[Service]
# Not oneshot: the machine is up whether or not anybody answers.
Type=exec
ExecStart=/bin/bash ${FOLDER}/report
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
`;

const HOST_KEYS_UNIT = `[Unit]
Description=Make SSH host keys of this machine
Before=ssh.service ssh.socket sshd.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
`;

const RUN_SCRIPTS = `#!/bin/bash
# Written by Iguana: runs each script once, in order; standard output and error go to the journal.
stamps=${STAMPS}
mkdir -p -m 0700 "$stamps"
failed=0
for script in ${SCRIPTS}/*; do
  name=\${script##*/}
  name=\${name#*-}
  stamp=$stamps/$name
  if [[ -e $stamp ]]; then
    # "running": an earlier boot was cut off in it.
    [[ $(<"$stamp") == 0 ]] || failed=1
    continue
  fi
  echo running >"$stamp"
  sync "$stamp"
  echo "first-boot script $name: starting"
  "$script" </dev/null
  status=$?
  echo "$status" >"$stamp"
  echo "first-boot script $name: ended with status $status"
  ((status == 0)) || failed=1
done
systemctl --no-reload disable iguana-first-boot.service
exit $failed
`;

function reportScript({ url, machineId }: ReportSettings): string {
  const address = reportAddress(url);
  return `#!/bin/bash
# Written by Iguana: tells the installer that this system has come up, until it has been answered. Only bash is used,
# since every image has it; printf is part of bash, so that the token is in no process's arguments.
export LC_ALL=C
host=${quote(address.host)}
port=${address.port}
path=${quote(address.path)}
authority=${quote(address.authority)}
machine=${quote(JSON.stringify(machineId))}
token=$(<${TOKEN_FILE}) || exit 1
failed=
for stamp in ${STAMPS}/*; do
  [[ -f $stamp && $(<"$stamp") != 0 ]] && failed+="\${failed:+,}\\"\${stamp##*/}\\""
done
body=$(printf '{"machineId":%s,"hostname":"%s","kernel":"%s","bootId":"%s","failedScripts":[%s]}' \\
  "$machine" "$(</proc/sys/kernel/hostname)" "$(</proc/sys/kernel/osrelease)" \\
  "$(</proc/sys/kernel/random/boot_id)" "$failed")

post() {
  exec 3<>"/dev/tcp/$host/$port" || return 1
  printf 'POST %s HTTP/1.1\\r\\nHost: %s\\r\\nAuthorization: Bearer %s\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s' \\
    "$path" "$authority" "$token" "\${#body}" "$body" >&3 || return 1
  local version status
  read -r -t 30 version status _ <&3
  exec 3>&-
  echo "reporting the first boot to $authority: answered \${status:-nothing}"
  [[ $status == 2?? ]]
}

wait=2
until (post); do
  sleep "$wait"
  ((wait < 30)) && ((wait *= 2))
done
# The token first: without it a system that is cut off here never reports again.
rm -f ${TOKEN_FILE}
systemctl --no-reload disable iguana-report.service
`;
}

function reportAddress(url: string): { host: string; port: string; path: string; authority: string } {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw failure('PersonaliseFailed', `setting up the first-boot report: ${url} is no URL`, { cause });
  }
  if (parsed.protocol !== 'http:') {
    throw failure(
      'PersonaliseFailed',
      `setting up the first-boot report: ${url} is not http:, and a bare image has nothing that speaks more`,
    );
  }
  return {
    host: parsed.hostname.replaceAll(/^\[|\]$/g, ''),
    port: parsed.port || '80',
    path: `${parsed.pathname}${parsed.search}`,
    authority: parsed.host,
  };
}

/** For the shell: everything between single quotes is literal. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
