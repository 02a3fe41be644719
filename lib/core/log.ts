// leaseway's own messages: a port, so that every part can speak and a test can listen.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** For parts that keep the log they were given: whatever `current` is at the time hears it, with `always` on every message. */
export const forwardingLog = (current: () => Log, always: LogFields = {}): Log => ({
  debug: (message, fields) => current().debug(message, { ...always, ...fields }),
  info: (message, fields) => current().info(message, { ...always, ...fields }),
  warn: (message, fields) => current().warn(message, { ...always, ...fields }),
  error: (message, fields) => current().error(message, { ...always, ...fields }),
});
