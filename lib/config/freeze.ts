// A configuration is shared by everything that runs on it, so nothing may change it.

/** Freezes in place and returns it. Plain data only; values frozen before are not entered again. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freezeDeep(inner);
  return value;
}
