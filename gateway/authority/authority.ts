/** The certificate authority: signs the gateway's own certificates and those of machines. */
import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKey,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { BACKDATED_MS, type GatewayKeys, KEY_ALGORITHM } from './keys.ts';
import { machineUri } from './machine-certificate.ts';

/** A gateway makes a certificate of its own at every start, and a new one long before this has passed. */
export const SERVER_LIFETIME_MS = 30 * 24 * 3_600_000;

/** A key with its certificate, both PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

/** @see Authority.open */
export class Authority {
  /** PEM. */
  readonly certificate: string;
  /** `sha256:` and the digest of the certificate's DER: by this machines trust it. */
  readonly digest: string;
  readonly #certificate: X509Certificate;
  readonly #key: CryptoKey;

  private constructor(pem: string, key: CryptoKey) {
    this.certificate = pem;
    this.#certificate = new X509Certificate(pem);
    this.digest = `sha256:${createHash('sha256').update(Buffer.from(this.#certificate.rawData)).digest('hex')}`;
    this.#key = key;
  }

  /** The authority that a state folder's keys make. */
  static async open(keys: GatewayKeys): Promise<Authority> {
    const der = Buffer.from(keys.key, 'base64');
    const key = await webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
    return new Authority(keys.certificate, key);
  }

  /**
   * A new key and certificate for a gateway. The key is never stored.
   * @param names host names and addresses by which machines reach it
   */
  async issueServer(names: readonly string[]): Promise<ServerCertificate> {
    const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
    const certificate = await this.#issue({
      subject: 'CN=Iguana gateway',
      publicKey: keys.publicKey,
      lifetimeMs: SERVER_LIFETIME_MS,
      usage: ExtendedKeyUsage.serverAuth,
      names: names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })),
    });
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    return {
      key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
      cert: certificate.toString('pem'),
    };
  }

  /** A machine's certificate; whether the machine may have it has been decided. */
  async issueMachine(machineId: string, publicKey: PublicKey, lifetimeMs: number): Promise<X509Certificate> {
    return await this.#issue({
      subject: `CN=${machineId}`,
      publicKey,
      lifetimeMs,
      usage: ExtendedKeyUsage.clientAuth,
      names: [{ type: 'url', value: machineUri(machineId) }],
    });
  }

  async #issue(wanted: {
    readonly subject: string;
    readonly publicKey: PublicKey | CryptoKey;
    readonly lifetimeMs: number;
    readonly usage: ExtendedKeyUsage;
    readonly names: { readonly type: 'ip' | 'dns' | 'url'; readonly value: string }[];
  }): Promise<X509Certificate> {
    const now = Date.now();
    return await X509CertificateGenerator.create({
      subject: wanted.subject,
      issuer: this.#certificate.subject,
      publicKey: wanted.publicKey,
      signingKey: this.#key,
      signingAlgorithm: KEY_ALGORITHM,
      notBefore: new Date(now - BACKDATED_MS),
      notAfter: new Date(now + wanted.lifetimeMs),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([wanted.usage]),
        new SubjectAlternativeNameExtension(wanted.names),
        await AuthorityKeyIdentifierExtension.create(this.#certificate),
      ],
    });
  }
}
