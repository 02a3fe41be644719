// The contract of Upstream: HTTP/1.1.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/1.1', { protocol: 'http1', secure: false });
