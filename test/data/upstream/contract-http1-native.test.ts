// The contract of Upstream: HTTP/1.1 by our codec.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/1.1 by our codec', { protocol: 'http1', secure: false, http1: 'native' });
