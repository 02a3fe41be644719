// One stable, fast, non-cryptographic string hash: the same on every proxy, so that all agree without talking.

/** MurmurHash3 x86_32 over the UTF-16 units of `text` (two bytes each); uint32. */
export function hash32(text: string, seed = 0): number {
  let h = seed >>> 0;
  const pairs = text.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    let k = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16);
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  if (pairs !== text.length) {
    let k = Math.imul(text.charCodeAt(pairs), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
  }
  return mix32(h ^ (text.length * 2));
}

/** MurmurHash3's finaliser: spreads every input bit over the uint32 result. */
export function mix32(value: number): number {
  let h = value | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
