import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { CommandLine } from './command.ts';

const iguana = new CommandLine();

const COMMANDS = [
  'demo',
  'install',
  'doctor',
  'status',
  'watch',
  'history',
  'approve',
  'retry',
  'amend',
  'skip',
  'abort',
  'resume',
  'manifest validate',
  'manifest plan',
  'manifest schema',
  'manifest show',
  'image build',
  'image ls',
  'image gc',
  'image push',
  'image pull',
  'image sign',
  'boot build',
  'boot agent',
  'boot ipxe',
  'machine ls',
  'machine approve',
  'machine reject',
  'machine revoke',
  'machine token create',
  'machine token ls',
  'machine token revoke',
  'secret set',
  'secret ls',
  'secret rm',
  'server',
  'server start',
  'server stop',
  'server status',
  'server keys ls',
  'server keys rotate',
  'server keys rm',
  'server codec',
  'worker control',
  'worker builder',
  'worker agent',
  'completion',
];

describe('help', () => {
  it('lists every command, by subject, with the exit statuses', async () => {
    const { status, stdout } = await iguana.run(['--help']);
    expect(status).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command.split(' ')[0]}\\b`, 'm'));
    expect(stdout).toContain('130');
  });

  it('is what no arguments give', async () => {
    const { status, stdout } = await iguana.run([]);
    expect(status).toBe(0);
    expect(stdout).toContain('Usage: iguana');
  });

  it.each(COMMANDS)('of %s says what it does', async (command) => {
    const { status, stdout, stderr } = await iguana.run([...command.split(' '), '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: iguana ${command}`));
  });

  it('shows the version', async () => {
    const { status, stdout } = await iguana.run(['--version']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe('wrong usage', () => {
  it.each([
    ['an unknown command, with the nearest', ['instal'], 'Did you mean install?'],
    ['an unknown option', ['status', '--al'], '--al'],
    ['a missing option', ['install', 'x.yaml'], '--disk'],
    ['a size without a disk image', ['install', 'x.yaml', '--machine', 'm', '--size', '4G'], '--size'],
    ['a missing argument', ['watch'], 'machine'],
    ['a value that is none of the choices', ['status', '--output', 'xml'], 'text, json'],
    ['a missing subcommand', ['image'], 'subcommand'],
    ['too many arguments', ['status', 'a', 'b'], 'too many arguments'],
    ['a missing reason', ['skip', 'm'], '--reason'],
    [
      'a token file that is not there',
      ['boot', 'build', '-o', '/nowhere', '--token-file', '/nowhere/t'],
      'ENOENT',
    ],
    [
      'a token file that holds none',
      ['boot', 'build', '-o', '/nowhere', '--token-file', '/etc/passwd'],
      'no token',
    ],
    [
      'files for iPXE that are at no address',
      ['boot', 'ipxe', '--server', 'https://a:1', '--files', '/srv/boot'],
      '--files /srv/boot: it is no address',
    ],
    [
      'an authority that is no digest',
      ['boot', 'ipxe', '--server', 'https://a:1', '--files', 'http://a/boot', '--ca', 'sha256:1'],
      '--ca sha256:1: it is no digest',
    ],
    [
      'a workflow file without a key for its containers',
      ['boot', 'build', '-o', '/nowhere', '--control', '/nowhere/c'],
      '--control needs --key',
    ],
    [
      'a workflow file with mistakes',
      ['boot', 'build', '-o', '/nowhere', '--key', '/nowhere/k', '--control', '/etc/passwd'],
      '--control /etc/passwd: it cannot be run',
    ],
    ['an unknown document', ['manifest', 'schema', 'nothing'], 'profile, manifest, facts'],
  ])('%s ends with status 2 and a remedy', async (_what, args, words) => {
    const { status, stderr } = await iguana.run(args);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).toContain('error: ');
    expect(stderr).toContain('remedy: ');
    expect(stderr).not.toMatch(/\n\s+at .*:\d+/);
  });

  it('is told in JSON where that was asked for', async () => {
    const { status, documents } = await iguana.json(['bogus']);
    expect(status).toBe(2);
    expect(documents).toMatchObject([{ error: { message: expect.stringContaining('bogus'), exitCode: 2 } }]);
  });

  it('shows the stack only with --verbose', async () => {
    const { stderr } = await iguana.run(['status', '--verbose']);
    expect(stderr).toMatch(/\n\s+at .*:\d+/);
  });
});

describe('without a server', () => {
  it.each([
    ['status'],
    ['watch', 'm'],
    ['history', 'm'],
    ['manifest', 'show', 'm'],
    ['image', 'gc', '--all'],
  ])('%s says that none runs, starts none, and ends with 1', async (...args) => {
    const { status, stderr } = await iguana.run(args);
    expect(status).toBe(1);
    expect(stderr).toContain('none runs on this host');
    expect(stderr).toContain('iguana resume');
  });

  it('server status says so, with status 1', async () => {
    await expect(iguana.json(['server', 'status'])).resolves.toEqual({
      status: 1,
      documents: [{ running: false }],
    });
  });

  it('server stop has nothing to do', async () => {
    await expect(iguana.json(['server', 'stop'])).resolves.toEqual({
      status: 0,
      documents: [{ stopped: false }],
    });
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'] as const)('prints a script for %s', async (shell) => {
    const { status, stdout } = await iguana.run(['completion', shell]);
    expect(status).toBe(0);
    expect(stdout).toContain('iguana complete');
    if (shell === 'bash') await execa('bash', ['-n'], { input: stdout });
  });

  it('completes commands and options, one each line', async () => {
    const commands = await iguana.run(['complete', '--', 'st']);
    expect(commands.stdout.split('\n')[0]).toMatch(/^status\t/);
    const options = await iguana.run(['complete', '--', 'install', '--di']);
    expect(options.stdout).toMatch(/^--disk\t/m);
  });
});

describe('output', () => {
  it('has no colours where nobody sees them', async () => {
    const coloured = new CommandLine({ NO_COLOR: undefined });
    const { stderr, stdout } = await coloured.run(['status']);
    expect(stderr + stdout).not.toContain('\u001b');
  });

  it('may be cut off by its reader', async () => {
    const { stdout, exitCode } = await execa(
      'bash',
      ['-c', `"$0" "$1" --help | head -1; exit "\${PIPESTATUS[0]}"`, process.execPath, 'client/main.ts'],
      {
        reject: false,
      },
    );
    expect(stdout).toContain('Usage');
    expect(exitCode).toBe(0);
  });
});

describe('doctor', () => {
  it('tells every check with what was found, and how to get what is missing', async () => {
    const { status, documents } = await iguana.json(['doctor']);
    const [{ ok, checks }] = documents as [{ ok: boolean; checks: Record<string, string>[] }];
    expect(status).toBe(ok ? 0 : 1);
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Node', 'Temporal', 'container engine']),
    );
    for (const check of checks) {
      expect(check.found).toBeTruthy();
      if (check.state !== 'ok') expect(check.remedy).toBeTruthy();
    }
  });
});
