// An OCSP responder for tests: answers for the certificates of one issuer, in whatever way it is told to.
import { createHash, createPublicKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { TAG, context, der, oid, sequence } from '../../certs/der.ts';
import { signed } from './pki.ts';
import type { Identity } from './pki.ts';

export interface AnswerWishes {
  readonly status?: 'good' | 'revoked' | 'unknown';
  /** Seconds from now. */
  readonly thisUpdate?: number;
  readonly nextUpdate?: number | undefined;
  /** Who signs; the issuer, if absent. Its certificate is sent along. */
  readonly signer?: Identity;
  /** About another certificate. */
  readonly about?: Identity;
}

/** An OCSPResponse in DER. */
export function ocspAnswer(issuer: Identity, subject: Identity, wishes: AnswerWishes = {}): Buffer {
  const { status = 'good', thisUpdate = -60, signer = issuer, about = subject } = wishes;
  const nextUpdate = 'nextUpdate' in wishes ? wishes.nextUpdate : 3600;
  const state = status === 'good' ? der(0x80) : status === 'revoked' ? der(context(1), time(-3600)) : der(0x82);
  const single = sequence(certificateId(issuer, about), state, time(thisUpdate), ...(nextUpdate === undefined ? [] : [der(context(0), time(nextUpdate))]));
  const data = sequence(der(context(2), der(TAG.OCTET_STRING, keyHash(signer))), time(0), sequence(single));
  const more = signer === issuer ? [] : [der(context(0), sequence(Buffer.from(signer.certPem.replace(/-----.*-----/g, ''), 'base64')))];
  const basic = signed(data, signer.key, ...more);
  return sequence(der(TAG.ENUMERATED, Buffer.from([0])), der(context(0), sequence(oid('1.3.6.1.5.5.7.48.1.1'), der(TAG.OCTET_STRING, basic))));
}

function certificateId(issuer: Identity, { serial }: Identity): Buffer {
  // Name as pki.ts writes it: one RDN with the CN in UTF-8.
  const name = sequence(der(TAG.SET, sequence(oid('2.5.4.3'), der(12, Buffer.from(issuer.name, 'utf8')))));
  return sequence(sequence(oid('1.3.14.3.2.26'), der(TAG.NULL)), der(TAG.OCTET_STRING, createHash('sha1').update(name).digest()), der(TAG.OCTET_STRING, keyHash(issuer)), serial);
}

function keyHash({ key }: Identity): Buffer {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  // An uncompressed P-256 point is the last 65 bytes.
  return createHash('sha1').update(spki.subarray(-65)).digest();
}

function time(seconds: number): Buffer {
  const text = new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return der(TAG.GENERALIZED_TIME, Buffer.from(`${text}Z`, 'latin1'));
}

export interface Responder {
  readonly url: string;
  /** What it is asked, in DER. */
  readonly asked: Buffer[];
  /** What it answers; undefined: nothing at all. */
  answer: (() => Buffer | number) | undefined;
}

export async function startResponder(t: ExecutionContext): Promise<Responder> {
  const responder: { url: string; asked: Buffer[]; answer: (() => Buffer | number) | undefined } = { url: '', asked: [], answer: undefined };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      responder.asked.push(Buffer.concat(chunks));
      const answer = responder.answer?.();
      if (typeof answer === 'number') response.writeHead(answer).end();
      else if (answer !== undefined) response.writeHead(200, { 'content-type': 'application/ocsp-response' }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  responder.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ocsp`;
  return responder;
}
