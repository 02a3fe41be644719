// The contract of Upstream: HTTP/2 by prior knowledge.

import { upstreamContract } from '../../contract/upstream.ts';

upstreamContract('HTTP/2 by prior knowledge', { protocol: 'h2', secure: false });
