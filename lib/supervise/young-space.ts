// Room for what a request leaves behind: it is garbage within a millisecond.

import { setFlagsFromString } from 'node:v8';

/**
 * MiB in which the threads that start from now on allocate at first. V8 begins with one and sees little reason for more, since
 * hardly anything survives; but each collection costs, and with one MiB there is one every hundred requests.
 */
const YOUNG_MIB = 16;

export function makeRoomForTheYoung(): void {
  setFlagsFromString(`--min-semi-space-size=${YOUNG_MIB}`);
}
