// leaseway's own messages, one line each on standard error: for people or as JSON, and never a flood.

import { writeSync } from 'node:fs';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Log, LogFields, LogLevel } from '../core/log.ts';
import { safeJsonString } from './json-text.ts';

/** A message that was said (not one that was suppressed). */
export interface LogEntry {
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  readonly clock?: Clock;
  /** Takes one line without its end. */
  readonly write?: (line: string) => void;
  /** Hears every message that is written, for the export by OTLP. Must not throw. */
  readonly tap?: (entry: LogEntry) => void;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** Of one message within one window; the rest is counted and summed up in one line when the window ends. */
const BURST = 10;
const WINDOW_MS = 10_000;
/** Messages are a fixed set of texts, so this is never reached unless someone puts variables into the text: those share one budget. */
const MAX_MESSAGES = 512;
const MAX_VALUE_LENGTH = 2_048;

interface Budget {
  readonly level: LogLevel;
  readonly message: string;
  said: number;
  suppressed: number;
}

/** Levels below `level` cost a comparison. Rate limits count by level and text; fields do not distinguish. */
export function createLog(options: LogOptions): Log {
  const clock = options.clock ?? systemClock;
  const write = options.write ?? writeToStandardError;
  const format = options.format === 'json' ? jsonLine : textLine;
  const least = RANK[options.level];
  const budgets = new Map<string, Budget>();

  const emit = (level: LogLevel, message: string, fields: LogFields): void => {
    const entry = { timeMs: clock.wallMs(), level, message, fields };
    write(format(entry));
    options.tap?.(entry);
  };

  const closeWindow = (key: string, budget: Budget): void => {
    budgets.delete(key);
    if (budget.suppressed === 0) return;
    emit(budget.level, `${budget.message} … ${budget.suppressed} more in ${WINDOW_MS / 1000} s`, {});
  };

  const budgetOf = (level: LogLevel, message: string): Budget => {
    const key = budgets.size < MAX_MESSAGES ? `${level} ${message}` : 'other';
    let budget = budgets.get(key) ?? budgets.get(`${level} ${message}`);
    if (budget === undefined) {
      budget = {
        level,
        message: key === 'other' ? 'messages of all kinds' : message,
        said: 0,
        suppressed: 0,
      };
      const opened = budget;
      budgets.set(key, opened);
      clock.after(WINDOW_MS, () => closeWindow(key, opened));
    }
    return budget;
  };

  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (RANK[level] < least) return;
      const budget = budgetOf(level, message);
      if (budget.said >= BURST) {
        budget.suppressed += 1;
        return;
      }
      budget.said += 1;
      emit(level, message, fields);
    };

  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** `13:04:05.123 warn  message key=value`, in UTC. */
function textLine({ timeMs, level, message, fields }: LogEntry): string {
  const time = new Date(timeMs).toISOString().slice(11, 23);
  let line = `${time} ${level.padEnd(5)} ${plain(message)}`;
  for (const [key, value] of Object.entries(fields))
    if (value !== undefined) line += ` ${key}=${textValue(value)}`;
  return line;
}

function jsonLine({ timeMs, level, message, fields }: LogEntry): string {
  let line = `{"time":"${new Date(timeMs).toISOString()}","level":"${level}","message":${safeJsonString(message)}`;
  for (const [key, value] of Object.entries(fields))
    if (value !== undefined) line += `,${safeJsonString(key)}:${jsonValue(value)}`;
  return `${line}}`;
}

const jsonValue = (value: string | number | boolean | null): string =>
  typeof value === 'string' ? safeJsonString(cut(value)) : JSON.stringify(value);

/** Quoted when it would not read back as one word; a value may come from a client, so nothing in it may end the line or steer a terminal. */
function textValue(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value);
  return /^[\w./:@%+,[\]-]+$/.test(value) ? cut(value) : safeJsonString(cut(value));
}

/** Messages are ours, but some carry an error's text. */
function plain(message: string): string {
  return /[\u0000-\u001f\u007f-\u009f]/.test(message) ? safeJsonString(message) : message;
}

const cut = (text: string): string =>
  text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text;

/**
 * Synchronous, so that the last words before an exit are never lost and threads keep their order; the rate limit bounds what it costs.
 * A pipe nobody reads (EAGAIN) or a closed one loses the line: a message is not worth stopping traffic.
 */
function writeToStandardError(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // There is no place left to complain to.
  }
}
