// SPDX-License-Identifier: Apache-2.0
// TLS as a client of targets: what is trusted, the name that is asked for and has to be in the certificate, and errors in
// words. Sessions are not used again, so that each probe tries a whole handshake.
import { readFile, stat } from 'node:fs/promises';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { SecretContent } from '../../core/secret-content.ts';
import { type ClientKeys, keyOf } from '../client-keys.ts';
import type { Tls } from '../model.ts';
import { Failure } from './failure.ts';
import { errorWords } from './words.ts';

/** Where systems keep the authorities that they trust: Debian, Red Hat, SUSE, Alpine. Node has a list of its own. */
const systemAuthorities = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

interface Kept {
  /** The files' times of change. */
  readonly times: string;
  readonly key: SecretContent | undefined;
  readonly context: SecureContext;
}

// Reading a system's authorities takes some ten milliseconds. A Tls object is one for as long as its check is in force.
const kept = new WeakMap<Tls, Kept>();

async function timeOf(path: string): Promise<string> {
  try {
    const { mtimeMs, ino } = await stat(path);
    return `${path} ${ino} ${mtimeMs}`;
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${errorWords(error)}`);
  }
}

async function authoritiesOf(tls: Tls): Promise<string | null> {
  if (tls.authorities !== null || !tls.verify) return tls.authorities;
  for (const path of systemAuthorities) {
    if (
      await stat(path).then(
        found => found.isFile(),
        () => false,
      )
    )
      return path;
  }
  return null;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Failure(`${path} cannot be read: ${errorWords(error)}`);
  }
}

/** What the files of these settings hold now. Throws a Failure that names the file. */
export async function secureContext(tls: Tls, keys: ClientKeys): Promise<SecureContext> {
  const authorities = await authoritiesOf(tls);
  const paths = [authorities, tls.certificate];
  const key = keyOf(tls, keys);
  const times = (await Promise.all(paths.map(path => (path === null ? '' : timeOf(path))))).join('\n');
  const known = kept.get(tls);
  if (known !== undefined && known.times === times && known.key === key) return known.context;
  const [ca, cert] = await Promise.all(paths.map(path => (path === null ? undefined : read(path))));
  try {
    const context = createSecureContext({ ca, cert, key: key?.text });
    kept.set(tls, { times, key, context });
    return context;
  } catch (error) {
    const files = [...paths, tls.key?.file].filter(path => typeof path === 'string').join(', ');
    throw new Failure(`the certificates cannot be used (${files}): ${errorWords(error)}`);
  }
}

/** The name without the port; an address without brackets. */
export function nameOfHost(host: string): string {
  return host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
}

export interface TlsRequest {
  readonly tls: Tls;
  readonly context: SecureContext;
  readonly socket: Socket;
  /** The name that is asked for, unless the settings have one; null: the address. */
  readonly host: string | null;
  readonly address: string;
  readonly protocols?: readonly string[];
}

/** The name or address that the certificate has to have. */
function expectedName({ tls, host, address }: TlsRequest): string {
  return tls.name ?? (host === null ? address : nameOfHost(host));
}

export function connectTls(request: TlsRequest): TLSSocket {
  const { tls, context, socket, protocols } = request;
  const name = expectedName(request);
  return connect({
    socket,
    secureContext: context,
    rejectUnauthorized: tls.verify,
    host: name,
    // SNI has names only (RFC 6066, section 3).
    servername: isIP(name) === 0 ? name : '',
    ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
  });
}

const certificateWords: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
  CERT_REVOKED: 'the certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is signed by itself, not by an authority that is trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate is of an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate is of an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate is of an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the certificate is of an authority that is not trusted, or its chain is not complete',
};

interface TlsError extends Error {
  readonly code?: string;
  /** OpenSSL's reason. */
  readonly reason?: string;
  readonly cert?: { readonly subjectaltname?: string; readonly subject?: { readonly CN?: string } };
}

/** The names that a certificate has. */
function namesOf(cert: TlsError['cert']): string {
  const names = (cert?.subjectaltname ?? '').split(', ').map(name => name.replace(/^(DNS|IP Address):/, ''));
  return names[0] ? names.slice(0, 3).join(', ') : (cert?.subject?.CN ?? 'no name');
}

/** HTTP/2 is the only protocol that is asked for. */
export const noProtocol = 'the server does not agree to HTTP/2 (ALPN)';

export function tlsWords(error: TlsError, request: TlsRequest): string {
  const { code = '' } = error;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate is for ${namesOf(error.cert)}, not for ${expectedName(request)}`;
  }
  const words = certificateWords[code];
  if (words !== undefined) return words;
  if (/no application protocol/i.test(error.reason ?? error.message)) return noProtocol;
  if (/wrong version number|packet length too long|http request/i.test(error.reason ?? error.message))
    return 'the target does not speak TLS';
  // Errors of the system have a number; those of TLS have OpenSSL's reason.
  return `TLS failed: ${error.reason ?? errorWords(error)}`;
}
