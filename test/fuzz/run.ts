// The properties of the codec, over as many messages as are asked for.

import fc from 'fast-check';
import { type Difference, difference, same } from './compare.ts';
import { type AnswerSample, answerSample, pieces, requestSample, type Sample } from './generate.ts';
import { type NodeMessage, NodeParser, type NodeReading } from './node-reading.ts';
import { type OurReading, ourAnswer, ourRequests } from './our-reading.ts';
import { type Regenerated, regenerated } from './regenerate.ts';

export interface FuzzOptions {
  readonly messages: number;
  readonly seed: number;
  /** No new batch is begun after this much time. */
  readonly limitMs: number;
}

export interface FuzzReport {
  messages: number;
  /** Whole by both readings and the same. */
  agreed: number;
  /** Refused or unfinished by both. */
  refused: number;
  /** Differences that we mean, by name. */
  readonly meant: Map<string, number>;
}

const BATCH = 64;
const node = new NodeParser();

function note(report: FuzzReport, bytes: string, ours: OurReading, theirs: NodeReading): Difference | null {
  const found = difference(bytes, ours, theirs);
  report.messages += 1;
  if (found === null) {
    if (ours.messages.some(({ whole }) => whole)) report.agreed += 1;
    else report.refused += 1;
    return null;
  }
  if ('wrong' in found) return found.wrong;
  report.meant.set(found.meant, (report.meant.get(found.meant) ?? 0) + 1);
  return null;
}

/** The same however it is cut. */
function settled(whole: OurReading, cut: OurReading): void {
  if (JSON.stringify(whole) !== JSON.stringify(cut))
    throw new Error(`read otherwise in pieces:\n${JSON.stringify(whole)}\n${JSON.stringify(cut)}`);
}

function fail(wrong: Difference | null): void {
  if (wrong !== null) throw new Error(`${wrong.what}\n${JSON.stringify(wrong, null, 1)}`);
}

interface Again extends Regenerated {
  readonly method: string;
}

/** Written anew, a message has to be read as it was read: by us and by Node. */
function again(messages: readonly NodeMessage[], isRequest: boolean, method: string): Again[] {
  return messages
    .filter(({ whole }) => whole)
    .map(message => ({ ...regenerated(message, isRequest, method === 'HEAD'), method }));
}

async function requests(batch: readonly Sample[], report: FuzzReport): Promise<void> {
  const theirs = await node.requests(batch.map(({ bytes }) => bytes));
  const anew: Again[] = [];
  for (const [i, sample] of batch.entries()) {
    const ours = ourRequests([Buffer.from(sample.bytes, 'latin1')]);
    settled(ours, ourRequests(pieces(sample)));
    fail(note(report, sample.bytes, ours, theirs[i]!));
    anew.push(...again(ours.messages, true, 'GET'));
  }
  const readAgain = await node.requests(anew.map(({ bytes }) => bytes));
  for (const [i, one] of anew.entries())
    roundTrip(one, ourRequests([Buffer.from(one.bytes, 'latin1')]), readAgain[i]!);
}

async function answers(batch: readonly AnswerSample[], report: FuzzReport): Promise<void> {
  const theirs = await node.answers(batch);
  const anew: Again[] = [];
  for (const [i, sample] of batch.entries()) {
    const { method } = sample;
    const ours = ourAnswer([Buffer.from(sample.bytes, 'latin1')], method);
    settled(ours, ourAnswer(pieces(sample), method));
    fail(note(report, sample.bytes, ours, theirs[i]!));
    const final = ours.messages.filter(({ first }) => Number(first) >= 200);
    anew.push(...again(final, false, method));
  }
  const readAgain = await node.answers(anew);
  for (const [i, one] of anew.entries())
    roundTrip(one, ourAnswer([Buffer.from(one.bytes, 'latin1')], one.method), readAgain[i]!);
}

function roundTrip(one: Again, ours: OurReading, theirs: NodeReading): void {
  const found = difference(one.bytes, ours, theirs);
  const agreed = found === null || ('meant' in found && theirs.error === 'HPE_INVALID_METHOD');
  const [message] = ours.messages;
  if (agreed && message !== undefined && ours.messages.length === 1 && same(message, one.expected)) return;
  throw new Error(`what we wrote is not read as it was: ${JSON.stringify({ one, ours, theirs }, null, 1)}`);
}

/** Half of the messages are requests, half answers. Throws with the smallest batch that fails, and the seed. */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const report: FuzzReport = { messages: 0, agreed: 0, refused: 0, meant: new Map() };
  const parameters = {
    seed: options.seed,
    numRuns: Math.ceil(options.messages / 2 / BATCH),
    interruptAfterTimeLimit: options.limitMs,
    markInterruptAsFailure: false,
  };
  const batchOf = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
    fc.array(one, { minLength: BATCH, maxLength: BATCH });
  try {
    await fc.assert(
      fc.asyncProperty(batchOf(requestSample), batch => requests(batch, report)),
      parameters,
    );
    await fc.assert(
      fc.asyncProperty(batchOf(answerSample), batch => answers(batch, report)),
      parameters,
    );
  } catch (error) {
    // The batch itself is long; what broke is in the cause, made as small as it goes.
    const { cause } = error as Error;
    throw new Error(`seed ${options.seed}: ${cause instanceof Error ? cause.message : String(error)}`);
  }
  return report;
}
