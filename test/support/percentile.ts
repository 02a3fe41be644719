/** The value that a share `q` of them is not above; NaN of none. */
export const percentile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))] ?? Number.NaN;
