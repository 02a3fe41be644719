// What overload is spoken of in, on all sides: priorities of requests, and why one was refused for want of room.

/** Higher are served first and shed last. */
export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;

export const SHED_REASONS = [
  /** The line was full. */
  'full',
  /** It gave way in a full line: to a higher priority or, in overload, to a newer request. */
  'displaced',
  /** In overload it waited longer than the target. */
  'late',
  /** It waited for its whole time. */
  'timeout',
  /** No backend was eligible, and the cluster does not queue. */
  'none',
] as const;
export type ShedReason = (typeof SHED_REASONS)[number];
