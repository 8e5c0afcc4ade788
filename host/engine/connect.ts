/** Talking to the API of podman or Docker. */
import Docker from 'dockerode';

/** A container engine that answers. */
export interface Engine {
  readonly docker: Docker;
  readonly name: 'podman' | 'docker';
  readonly version: string;
  /** `unix:///…` or `tcp://…`, as IGUANA_ENGINE takes it. */
  readonly address: string;
}

/** A living engine answers at once; a socket that accepts and says nothing must not keep anybody. Milliseconds. */
const ANSWER_DEADLINE = 10_000;

/**
 * Asks the engine at an address who it is.
 * @param address `unix:///path`, `/path`, `tcp://host:port` or `http(s)://host:port`
 * @throws what the connection failed with
 */
export async function connectEngine(address: string): Promise<Engine> {
  const url = address.startsWith('/') ? `unix://${address}` : address;
  const docker = new Docker(connectionOptions(url));
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => silence.reject(new Error(`no answer in ${ANSWER_DEADLINE / 1000} s`)),
    ANSWER_DEADLINE,
  );
  const version = await Promise.race([docker.version(), silence.promise]).finally(() => clearTimeout(timer));
  const isPodman = version.Components?.some(({ Name }) => Name === 'Podman Engine') ?? false;
  return { docker, name: isPodman ? 'podman' : 'docker', version: version.Version, address: url };
}

function connectionOptions(url: string): Docker.DockerOptions {
  if (url.startsWith('unix://')) return { socketPath: url.slice('unix://'.length) };
  const { protocol, hostname, port } = new URL(url);
  // Docker's convention: 2376 is TLS, any other port of a tcp:// address is not.
  const secure = protocol === 'https:' || (protocol === 'tcp:' && port === '2376');
  return {
    protocol: secure ? 'https' : 'http',
    host: hostname,
    port: port || (secure ? '443' : '80'),
  };
}
