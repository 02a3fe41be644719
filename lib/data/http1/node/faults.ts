// What node's HTTP/1 parser reports, as refusals; and which reports are no fault of the request at all.

import { type Refusal, refusal } from '../../listener/refusal.ts';

export interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly rawPacket?: Buffer;
}

/** `ignore`: bytes behind a request that asked for the connection to close. `left`: the connection broke or ended early. */
export function faultOf(error: ParserError, uriBytes: number): Refusal | 'ignore' | 'left' {
  const code = error.code ?? '';
  const detail = `${code}: ${error.reason ?? error.message}`;
  if (code === 'HPE_CLOSED_CONNECTION') return 'ignore';
  if (code === 'HPE_HEADER_OVERFLOW') {
    // The parser counts line and fields together; only a line that never ended tells the two apart.
    const end = error.rawPacket?.indexOf(10) ?? 0;
    return end === -1 || end > uriBytes + 64
      ? refusal('URI_TOO_LONG', detail)
      : refusal('HEAD_TOO_LARGE', detail);
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return refusal('BODY_TOO_LARGE', detail);
  if (code === 'HPE_INVALID_EOF_STATE' || !code.startsWith('HPE_')) return 'left';
  return refusal('BAD_REQUEST', detail);
}
