// The contract of Upstream: HTTP/1.1 over TLS by our codec.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/1.1 over TLS by our codec', { protocol: 'http1', secure: true, http1: 'native' });
