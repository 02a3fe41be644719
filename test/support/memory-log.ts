// A Log that keeps what was said, so that a test can read it.

import type { Log, LogLevel } from '../../lib/core/log.ts';

export class MemoryLog implements Log {
  readonly lines: { readonly level: LogLevel; readonly message: string }[] = [];

  debug(message: string): void {
    this.lines.push({ level: 'debug', message });
  }

  info(message: string): void {
    this.lines.push({ level: 'info', message });
  }

  warn(message: string): void {
    this.lines.push({ level: 'warn', message });
  }

  error(message: string): void {
    this.lines.push({ level: 'error', message });
  }

  /** How many lines of the level contain the text. */
  count(level: LogLevel, text: string): number {
    return this.lines.filter(line => line.level === level && line.message.includes(text)).length;
  }
}
