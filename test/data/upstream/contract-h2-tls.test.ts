// The contract of Upstream: HTTP/2 over TLS.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/2 over TLS', { protocol: 'h2', secure: true });
