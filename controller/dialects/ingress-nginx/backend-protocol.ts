// `backend-protocol`: how endpoints are spoken to, in place of what the Service's `appProtocol` says. TLS to a pod encrypts
// and does not verify, and sends no server name, unless more is configured.
import { UNVERIFIED } from '../../model/services.ts';
import type { ConnectionProfile } from '../../model/translation.ts';
import { onEveryBackend, onEveryForward } from './group.ts';
import type { AnnotationGroup, TranslationEffect } from './group.ts';
import { oneOfIgnoringCase } from './values.ts';

type Transport = NonNullable<ConnectionProfile['transport']>;

const PLAIN: Transport = { protocol: 'HTTP/1.1' };
const ENCRYPTED: Transport = { protocol: 'HTTP/1.1', tls: UNVERIFIED };

export const backendProtocol: AnnotationGroup = {
  name: 'BackendProtocol',
  reads: ['backend-protocol'],
  effect: (annotations) => {
    switch (annotations.read('backend-protocol', oneOfIgnoringCase('HTTP', 'HTTPS', 'AUTO_HTTP', 'GRPC', 'GRPCS', 'FCGI'), 'default')) {
      case 'HTTP':
        return speaking(PLAIN);
      case 'HTTPS':
        return speaking(ENCRYPTED);
      case 'GRPC':
        return speaking({ protocol: 'HTTP/2' });
      case 'GRPCS':
        return speaking({ protocol: 'HTTP/2', tls: UNVERIFIED });
      case 'AUTO_HTTP':
        return asTheClient;
      case 'FCGI':
        annotations.report({
          severity: 'error',
          reason: 'UnsupportedProtocol',
          origin: annotations.origin('backend-protocol'),
          message: 'FastCGI is not spoken, and HTTP must not be spoken to a FastCGI port: the routes of this Ingress answer 503',
          hint: 'put a web server that speaks HTTP in front of the FastCGI process, in its pod',
          effect: 'RouteDenied',
        });
        return undefined;
      case undefined:
        return undefined;
    }
  },
};

function speaking(transport: Transport): TranslationEffect {
  return onEveryBackend((backend) => ({ ...backend, profile: { ...backend.profile, transport } }));
}

/** Clear text or TLS as the connection to us is: behind a balancer that ends TLS pods get clear text, as its connection to us is, whatever the client spoke to it. */
const asTheClient = onEveryForward((action) => ({
  ...action,
  backends: action.backends.map((backend) => ({ ...backend, profile: { ...backend.profile, transport: PLAIN } })),
  encryptedBackends: action.backends.map((backend) => ({ ...backend, profile: { ...backend.profile, transport: ENCRYPTED } })),
}));
