// The fields of an answer as the client gets them: Via, Date, the route's edits, and a new lease where it may be given.

import type { Clock } from '../../core/clock.ts';
import { type Fields, joinedValue, type MutableFields, nameIs, setField } from '../../core/fields.ts';
import type { LeaseCarrier } from '../../plan/lease/carrier.ts';
import type { AnswerHead } from '../ports.ts';
import { applyEdits, type CompiledEdits } from '../router/edits.ts';
import { viaEntry } from './via.ts';

/** A lease on its way to the client: `field` is what its carrier wrote. */
export interface LeaseToSend {
  readonly carrier: LeaseCarrier;
  readonly field: readonly [name: string, value: string];
}

export class AnswerHygiene {
  readonly #via: string;
  readonly #clock: Clock;
  #dateSecond = -1;
  #date = '';

  constructor(via: string, clock: Clock) {
    this.#via = via;
    this.#clock = clock;
  }

  /** `version` is what the backend spoke. Connection-specific fields are gone already: the adapter's part. */
  forward(
    head: AnswerHead,
    version: '1.1' | '2',
    edits: CompiledEdits | null,
    carrier: LeaseCarrier | null,
    lease: LeaseToSend | null,
  ): MutableFields {
    const received = head.fields;
    const out: MutableFields = [];
    let dated = false;
    let via = '';
    for (let i = 0; i < received.length; i += 2) {
      const name = received[i]!;
      const value = received[i + 1]!;
      switch (name.length) {
        case 3:
          if (nameIs(name, 'via')) {
            via = via === '' ? value : `${via}, ${value}`;
            continue;
          }
          break;
        case 4:
          if (nameIs(name, 'date')) dated = true;
          break;
        case 10:
          // A backend has no say in our lease: a cookie of its name would end the session's affinity.
          if (carrier?.by === 'cookie' && nameIs(name, 'set-cookie') && value.startsWith(`${carrier.name}=`))
            continue;
          break;
      }
      if (isOurs(name)) continue;
      out.push(name, value);
    }
    const entry = viaEntry(version, this.#via);
    out.push('Via', via === '' ? entry : `${via}, ${entry}`);
    // RFC 9110, section 6.6.1: a recipient with a clock adds it before the answer is stored or passed on.
    if (!dated) out.push('Date', this.date());
    if (edits !== null) applyEdits(out, edits);
    if (lease !== null) addLease(out, lease);
    return out;
  }

  /** Of this second, as HTTP writes it. */
  date(): string {
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }
}

/** Leaseway-* fields between proxy and backend stay between them. */
const isOurs = (name: string): boolean =>
  name.length > 9 && (name.charCodeAt(0) | 0x20) === 0x6c && name.slice(0, 9).toLowerCase() === 'leaseway-';

/**
 * An answer that says it is for everyone gets no lease: a shared cache would hand one client's place to all (RFC 9111, section 7.3).
 * Any other is marked private, since caches may keep what has no Cache-Control at all.
 */
function addLease(out: MutableFields, lease: LeaseToSend): void {
  const control = joinedValue(out, 'cache-control');
  if (isForEveryone(out, control)) return;
  if (control === undefined) out.push('Cache-Control', 'private');
  else if (!/(?:^|[\s,])(?:no-store|private)(?:$|[\s,])/i.test(control))
    setField(out, 'Cache-Control', `${control}, private`);
  out.push(lease.field[0], lease.field[1]);
}

function isForEveryone(fields: Fields, control: string | undefined): boolean {
  if (control !== undefined && /(?:^|[\s,])(?:public(?:$|[\s,])|s-maxage\s*=)/i.test(control)) return true;
  // Orders to caches in front of us that override Cache-Control (RFC 9213).
  const targeted = joinedValue(fields, 'cdn-cache-control') ?? joinedValue(fields, 'surrogate-control');
  return targeted !== undefined && !/(?:^|[\s,])(?:no-store|private)(?:$|[\s,])/i.test(targeted);
}
