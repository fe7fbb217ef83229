// `proxy-*-timeout`, `proxy-body-size`, `proxy-request-buffering` and `proxy-buffering`: how long an endpoint may take, how
// much a client may send, and whether small bodies are complete before they are sent on. Answers are never buffered beyond
// what the client takes, so `proxy-buffering` is read and changes nothing.
import type { Forward } from '../../../proxy/table/route.ts';
import { allOf, onEveryBackend, withSettings } from './group.ts';
import type { AnnotationGroup } from './group.ts';
import { seconds } from './seconds.ts';
import { oneOf, size, withoutSpaces } from './values.ts';
import type { Parser } from './values.ts';

const onOff = oneOf('on', 'off');

/** ingress-nginx does not know the suffix `b` here. */
const bodySize: Parser<number> = withoutSpaces((text) => (/b$/i.test(text) ? { wrong: 'must be a size such as 512, 8k, 20m or 1g' } : size(text)));

export const proxy: AnnotationGroup = {
  name: 'Proxy',
  reads: ['proxy-connect-timeout', 'proxy-send-timeout', 'proxy-read-timeout', 'proxy-body-size', 'proxy-request-buffering', 'proxy-buffering'],
  effect: (annotations) => {
    const connectTimeoutMs = annotations.read('proxy-connect-timeout', seconds, 'default');
    const sendMs = annotations.read('proxy-send-timeout', seconds, 'default');
    const readMs = annotations.read('proxy-read-timeout', seconds, 'default');
    const maxBodyBytes = annotations.read('proxy-body-size', bodySize, 'default');
    const buffering = annotations.read('proxy-request-buffering', onOff, 'default');
    annotations.read('proxy-buffering', onOff, 'default');
    const settings: Omit<Forward, 'type' | 'clusters'> = {
      ...((sendMs ?? readMs) !== undefined && {
        timeouts: { ...(readMs !== undefined && { responseHeadMs: readMs, readIdleMs: readMs }), ...(sendMs !== undefined && { sendIdleMs: sendMs }) },
      }),
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
      ...(buffering !== undefined && { requestBuffering: buffering === 'on' }),
    };
    return allOf([
      Object.keys(settings).length === 0 ? undefined : withSettings(settings),
      connectTimeoutMs === undefined ? undefined : onEveryBackend((backend) => ({ ...backend, profile: { ...backend.profile, connectTimeoutMs } })),
    ]);
  },
};
