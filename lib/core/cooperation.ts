// What the proxy and a backend that works with it say to each other about a WebSocket: the names, in one place.

/** In a 101: `1` when the backend answers everything on notice and says Close then. */
export const COOPERATIVE_FIELD = 'Leaseway-Cooperative';
/** The payload of the Ping that is the notice. */
export const DRAIN_NOTICE = 'leaseway-drain';
/** The same for all backends that a session meets. */
export const SESSION_FIELD = 'Leaseway-Session';
/** Where a session comes from, signed; see plan/lease/resume.ts. */
export const RESUME_FIELD = 'Leaseway-Resume';
/** The fencing epoch of what a request is about. */
export const EPOCH_FIELD = 'Leaseway-Epoch';
