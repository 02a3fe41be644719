// Via (RFC 9110, section 7.6.3): says that we were here, and notices when we have been here before.

export const viaEntry = (receivedVersion: '1.0' | '1.1' | '2', name: string): string =>
  `${receivedVersion} ${name}`;

/** How often the pseudonym stands in a Via list. Comments after it do not count. */
export function countVia(list: string, name: string): number {
  if (!list.includes(name)) return 0;
  let count = 0;
  for (const entry of list.split(',')) if (entry.trim().split(/\s+/, 2)[1] === name) count++;
  return count;
}
