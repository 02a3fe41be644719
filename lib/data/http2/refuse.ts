// Answers a stream that never became a request.

import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Refusal, refusalText } from '../listener/refusal.ts';
import { answerFields } from './fields.ts';

/** The answer, then RST_STREAM(NO_ERROR) if the client is still sending (RFC 9113, section 8.1). */
export function refuseStream(stream: ServerHttp2Stream, refused: Refusal): void {
  stream.on('error', () => {});
  if (stream.destroyed || stream.closed) return;
  const bodyless = (stream as ServerHttp2Stream & { headRequest?: boolean }).headRequest === true;
  stream.respond(answerFields(refused.status, ['content-type', 'text/plain; charset=utf-8']), {
    endStream: bodyless,
  });
  stream.once('finish', () =>
    setImmediate(() => {
      if (!stream.closed && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
    }),
  );
  if (!bodyless) stream.end(refusalText(refused));
  stream.resume();
}
