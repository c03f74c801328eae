// SPDX-License-Identifier: Apache-2.0
// What a listener needs of files: tokens, certificate and key. They are read at each change of the configuration, so that
// `sluice reload` takes a new certificate. Also says by them who sends a request.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createSecureContext, TLSSocket, type TlsOptions } from 'node:tls';
import { type Admit, saysToken } from '../../core/api/admission.ts';
import { Refusal } from '../../core/api/refusal.ts';
import { UsageError } from '../../core/errors.ts';
import { type ReadSecret, readPem, readToken, reasonOf, unusable } from '../credential-files.ts';
import type { ListenerSettings, ListenerTls } from './settings.ts';

export interface Credentials {
  readonly tokens: ReadonlyMap<string, string>;
  readonly tls: TlsOptions | undefined;
  /** Equal while settings and files are the same. */
  readonly fingerprint: string;
}

/** A shorter one could be guessed. */
const tokenLength = { least: 16, most: 256 };

/** In the name of an author. */
const longestName = 64;

/** Throws a ConfigError or a SystemError when a file cannot be used. */
export async function readCredentials(settings: ListenerSettings, readSecret: ReadSecret): Promise<Credentials> {
  const tokens = new Map<string, string>();
  for (const [name, secret] of Object.entries(settings.tokens)) {
    tokens.set(name, await readToken(secret, readSecret, tokenLength));
  }
  const tls = settings.tls === null ? undefined : await readTls(settings.tls, readSecret);
  const parts = [JSON.stringify(settings), ...tokens.values(), tls?.cert, tls?.key, tls?.ca];
  const fingerprint = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return { tokens, tls, fingerprint };
}

async function readTls({ certificate, key, clients }: ListenerTls, readSecret: ReadSecret): Promise<TlsOptions> {
  const cert = await readPem(certificate);
  const secret = await readSecret(key);
  const ca = clients === null ? undefined : await readPem(clients);
  const options = { cert, key: secret.text, ...(ca === undefined ? {} : { ca, requestCert: true }) };
  try {
    createSecureContext(options);
  } catch (error) {
    const remedy = `name the key of this certificate, without a password; it is not that of ${key.file}`;
    throw unusable(certificate, `the certificate and the key do not work together: ${reasonOf(error)}`, remedy);
  }
  return options;
}

/** Answers whoever knows a token, or has a certificate where no tokens are asked for. The handshake has checked it. */
export function admitBy({ tokens, tls }: Credentials): Admit {
  return request => {
    if (tokens.size > 0) return `token ${tokenOf(request, tokens)}@${addressOf(request)}`;
    return tls?.requestCert === true ? `certificate ${subjectOf(request)}@${addressOf(request)}` : undefined;
  };
}

function tokenOf({ headers }: IncomingMessage, tokens: Credentials['tokens']): string {
  const [name] = [...tokens].filter(([, token]) => saysToken(headers.authorization, token)).map(([each]) => each);
  if (name !== undefined) return name;
  const error = new UsageError(
    headers.authorization === undefined ? 'this port wants a token' : 'the token is not known here',
    { remedy: 'send the field Authorization: Bearer TOKEN' },
  );
  throw new Refusal(401, error, { 'www-authenticate': 'Bearer' });
}

function subjectOf({ socket }: IncomingMessage): string {
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
  // A certificate may have several names, or none.
  const text = String(name ?? 'without a name');
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, longestName);
}

function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, '');
}
