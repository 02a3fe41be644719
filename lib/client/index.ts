// leaseway/client: what is published.

export type {
  LeaseJson as Lease,
  ServerStatusUpdateJson as ServerStatusUpdate,
} from '../control/api/gen/leaseway/v1/lease_pb.ts';
export { type Envelope, type EnvelopeMaker, type EnvelopeOwner, envelope } from './envelope.ts';
export type { Migrated } from './migration.ts';
export type { LeasewayOptions, Resumption } from './options.ts';
export type { Platform } from './platform.ts';
export { LeasewaySocket, type LeasewayState } from './socket.ts';
