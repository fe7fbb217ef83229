// The lab's DNS server, byte by byte.
import test from 'ava';
import { answerQuery } from './dns.ts';

const RECORDS = new Map([['web.default.svc.cluster.local', ['10.96.0.80']], ['six.default.svc.cluster.local', ['fd00:10:96::50']]]);
const A = 1;
const AAAA = 28;

function query(name: string, type: number): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([Buffer.from([0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

test('a Service has an address under its full name, in any case of letters', (t) => {
  const answer = answerQuery(query('WEB.default.svc.cluster.local', A), RECORDS);
  t.is(answer?.readUInt16BE(0), 0x1234);
  t.is((answer?.readUInt16BE(2) ?? 0) & 0x800f, 0x8000);
  t.is(answer?.subarray(-4).toString('hex'), '0a600050');
});

test('an IPv6 address has its sixteen bytes', (t) => {
  t.is(answerQuery(query('six.default.svc.cluster.local', AAAA), RECORDS)?.subarray(-16).toString('hex'), 'fd000010009600000000000000000050');
});

test('a family that a Service does not have is no data, and an unknown name does not exist', (t) => {
  const noData = answerQuery(query('web.default.svc.cluster.local', AAAA), RECORDS);
  t.is((noData?.readUInt16BE(2) ?? 0) & 0xf, 0);
  t.is(noData?.readUInt16BE(6), 0);
  t.is((answerQuery(query('web', A), RECORDS)?.readUInt16BE(2) ?? 0) & 0xf, 3);
});

test('what is no query gets no answer', (t) => {
  t.is(answerQuery(Buffer.from('short'), RECORDS), undefined);
  t.is(answerQuery(query('web', A).subarray(0, 15), RECORDS), undefined);
  const response = query('web', A);
  response[2] = 0x81;
  t.is(answerQuery(response, RECORDS), undefined);
});
