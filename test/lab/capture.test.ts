// What is read out of tcpdump's lines.
import test from 'ava';
import { parsePacket } from './capture.ts';

test('a TCP packet: when, where, from whom to whom, flags and payload', (t) => {
  const line = '1795472773.547303 eth0  In  IP 192.168.77.100.59474 > 192.168.77.11.80: Flags [P.], seq 1:84, ack 1, win 63, length 83: HTTP: GET / HTTP/1.1';
  t.deepEqual(parsePacket(line), [{ time: 1795472773.547303, link: 'eth0', direction: 'In', from: '192.168.77.100.59474', to: '192.168.77.11.80', flags: 'P.', length: 83, line }]);
});

test('an IPv6 packet without payload', (t) => {
  const [packet] = parsePacket('1795475157.747768 cni0  In  IP6 fd00:10:244:1::10.46280 > fd00:10:244:2::10.8080: Flags [.], ack 1, win 64, length 0');
  t.like(packet, { link: 'cni0', from: 'fd00:10:244:1::10.46280', to: 'fd00:10:244:2::10.8080', flags: '.', length: 0 });
});

test('what is no IP packet is passed over', (t) => {
  t.deepEqual(parsePacket('1795475157.747768 cni0  B   ARP, Request who-has 10.244.1.1 tell 10.244.1.10, length 28'), []);
  t.deepEqual(parsePacket(''), []);
});
