// leaseway/server: what is published.

export { type Resume, readResumeKeys, resumeKey } from '../plan/lease/resume.ts';
export {
  type Conversation,
  type ConversationHandler,
  EnvelopeServer,
  type EnvelopeServerOptions,
  type EnvelopeSocket,
} from './envelope.ts';
export { type EnvelopeState, type EnvelopeStore, MemoryEnvelopeStore } from './envelope-store.ts';
export { EpochCheck, epochOf } from './epoch.ts';
export { type HandshakeServer, heedDrainNotices, type NoticedSocket, onDrainNotice } from './notice.ts';
export { type Headers, ResumeCheck, type ResumeCheckOptions, type ResumeVerdict } from './resume.ts';
