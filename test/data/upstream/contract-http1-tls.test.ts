// The contract of Upstream: HTTP/1.1 over TLS.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/1.1 over TLS', { protocol: 'http1', secure: true });
