/** What can go wrong with the container engine itself. */

/** There is no container engine on this host. */
export class EngineMissing extends Error {
  override readonly name = 'EngineMissing';

  /** @param tried where it was looked for */
  constructor(tried: readonly string[]) {
    super(
      `finding a container engine: neither podman nor Docker answers (tried ${tried.join(', ')}). ` +
        'Install podman with `apt-get install podman runc`, or Docker with `apt-get install docker.io`; ' +
        'or name the socket of a running one in IGUANA_ENGINE, e.g. IGUANA_ENGINE=unix:///run/podman/podman.sock',
    );
  }
}

/** There is an engine, or somebody said where, but it does not work. */
export class EngineFailed extends Error {
  override readonly name = 'EngineFailed';
}
