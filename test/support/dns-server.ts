// A small DNS server on UDP that answers A and AAAA as a test tells it to: real packets, no cache, no recursion.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4, SocketAddress } from 'node:net';

export interface Zone {
  addresses: readonly string[];
  ttlS: number;
  /** 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN. */
  rcode: number;
  /** Query types (1 is A, 28 is AAAA) that are answered with SERVFAIL. */
  failing: readonly number[];
}

const TYPE_A = 1;
const TYPE_AAAA = 28;

export class DnsServer implements AsyncDisposable {
  readonly zones = new Map<string, Zone>();
  /** Names asked for, with the type. */
  readonly queries: string[] = [];
  readonly #socket: Socket;

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, { port, address }) => socket.send(this.#answer(query), port, address));
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  set(name: string, addresses: readonly string[], ttlS = 1): void {
    this.zones.set(name, { addresses, ttlS, rcode: 0, failing: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer): Buffer {
    const { name, type, end } = readQuestion(query);
    this.queries.push(`${name} ${type === TYPE_AAAA ? 'AAAA' : 'A'}`);
    const zone = this.zones.get(name) ?? { addresses: [], ttlS: 0, rcode: 3, failing: [] };
    const rcode = zone.failing.includes(type) ? 2 : zone.rcode;
    const wanted = rcode === 0 ? zone.addresses.filter(a => isIPv4(a) === (type === TYPE_A)) : [];
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    // A response, recursion desired and available.
    head.writeUInt16BE(0x8180 | rcode, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(wanted.length, 6);
    const records = wanted.map(address => record(address, type, zone.ttlS));
    return Buffer.concat([head, query.subarray(12, end), ...records]);
  }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    const length = query[at]!;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  // Resolvers may mix the case of a name; it means nothing.
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function record(address: string, type: number, ttlS: number): Buffer {
  const data = type === TYPE_A ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address);
  const head = Buffer.alloc(12);
  // A pointer to the question's name.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlS, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(text: string): Buffer {
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const [left = '', right] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}
