// A gRPC service of all four kinds of method, on @grpc/grpc-js, and a client for it.

import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface Words {
  readonly text: string;
  readonly payload: Buffer;
  readonly count: number;
}

export type TalkClient = grpc.Client & {
  Say(
    words: Partial<Words>,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: Done,
  ): grpc.ClientUnaryCall;
  Gather(
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    done: Done,
  ): grpc.ClientWritableStream<Partial<Words>>;
  Scatter(
    words: Partial<Words>,
    metadata?: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientReadableStream<Words>;
  Converse(
    metadata?: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientDuplexStream<Partial<Words>, Words>;
};
type Done = (error: grpc.ServiceError | null, words?: Words) => void;

/** What the service noticed, by the metadata `x-call` of the call. */
export interface Noticed {
  readonly method: string;
  readonly metadata: grpc.Metadata;
  /** Unix ms; Infinity for none. */
  readonly deadlineMs: number;
  cancelled: boolean;
  ended: boolean;
}

const definition = grpc.loadPackageDefinition(
  loadSync(join(import.meta.dirname, 'talk.proto'), { defaults: true }),
) as unknown as { leaseway: { test: { Talk: grpc.ServiceClientConstructor } } };
const Talk = definition.leaseway.test.Talk;

export class TalkServer implements AsyncDisposable {
  readonly calls = new Map<string, Noticed>();
  readonly #server: grpc.Server;
  #port = 0;

  private constructor(server: grpc.Server) {
    this.#server = server;
  }

  static async start(credentials = grpc.ServerCredentials.createInsecure()): Promise<TalkServer> {
    const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
    const talk = new TalkServer(server);
    server.addService(Talk.service, talk.#methods());
    talk.#port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
    );
    return talk;
  }

  get port(): number {
    return this.#port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #methods(): grpc.UntypedServiceImplementation {
    return {
      Say: (call: grpc.ServerUnaryCall<Words, Partial<Words>>, done: grpc.sendUnaryData<Partial<Words>>) => {
        this.#notice('Say', call);
        const { text, payload } = call.request;
        if (text === 'hang') return;
        if (text === 'fail') return done(richFailure());
        const trailers = new grpc.Metadata();
        trailers.set('x-trailer', 'of the answer');
        call.sendMetadata(headOf(call.metadata));
        done(null, { text: text.toUpperCase(), payload }, trailers);
      },
      Gather: (
        call: grpc.ServerReadableStream<Words, Partial<Words>>,
        done: grpc.sendUnaryData<Partial<Words>>,
      ) => {
        const noticed = this.#notice('Gather', call);
        let [text, count, bytes] = ['', 0, 0];
        call.on('data', (words: Words) => {
          text += words.text;
          bytes += words.payload.length;
          count += 1;
        });
        call.on('end', () => {
          noticed.ended = true;
          done(null, { text: `${text}:${bytes}`, count });
        });
      },
      Scatter: (call: grpc.ServerWritableStream<Words, Partial<Words>>) => {
        this.#notice('Scatter', call);
        const { text, payload, count } = call.request;
        call.sendMetadata(headOf(call.metadata));
        for (let i = 0; i < Math.abs(count); i++) call.write({ text, payload, count: i });
        if (text === 'fail') call.emit('error', richFailure());
        else if (count >= 0) call.end();
      },
      Converse: (call: grpc.ServerDuplexStream<Words, Partial<Words>>) => {
        const noticed = this.#notice('Converse', call);
        call.sendMetadata(headOf(call.metadata));
        call.on('data', ({ text, payload }: Words) => call.write({ text: text.toUpperCase(), payload }));
        // The last word comes after the client has said its own.
        call.on('end', () => {
          noticed.ended = true;
          call.write({ text: 'goodbye' });
          call.end();
        });
      },
    };
  }

  #notice(
    method: string,
    call: {
      metadata: grpc.Metadata;
      getDeadline(): grpc.Deadline;
      on(event: 'cancelled', listener: () => void): unknown;
    },
  ): Noticed {
    const deadlineMs = Number(call.getDeadline());
    const noticed = { method, metadata: call.metadata, deadlineMs, cancelled: false, ended: false };
    call.on('cancelled', () => {
      noticed.cancelled = true;
    });
    const [id] = call.metadata.get('x-call');
    if (id !== undefined) this.calls.set(String(id), noticed);
    return noticed;
  }
}

/** What the call brought goes back in the answer's head, text and bytes. */
function headOf(metadata: grpc.Metadata): grpc.Metadata {
  const head = new grpc.Metadata();
  for (const name of ['x-text', 'x-bytes-bin']) for (const value of metadata.get(name)) head.add(name, value);
  return head;
}

function richFailure(): Partial<grpc.StatusObject> & { name: string; message: string } {
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from([8, 9, 18, 3, 0xe2, 0x82, 0xac]));
  metadata.set('x-reason', 'for the test');
  const details = 'no € left, 100 %';
  return { name: 'failure', message: details, code: grpc.status.FAILED_PRECONDITION, details, metadata };
}

export function talkClient(
  target: string,
  credentials = grpc.credentials.createInsecure(),
  options: grpc.ClientOptions = {},
): TalkClient {
  // A channel of its own for each client: connections are not shared between tests.
  return new Talk(target, credentials, {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
    ...options,
  }) as unknown as TalkClient;
}

export const metadata = (values: Readonly<Record<string, string | Buffer>>): grpc.Metadata => {
  const made = new grpc.Metadata();
  for (const [name, value] of Object.entries(values)) made.add(name, value);
  return made;
};

/** A whole unary call. */
export interface Said {
  readonly error: grpc.ServiceError | null;
  readonly words: Words | undefined;
  readonly head: grpc.Metadata | undefined;
  readonly status: grpc.StatusObject;
}

export function say(
  client: TalkClient,
  words: Partial<Words>,
  sent: grpc.Metadata = new grpc.Metadata(),
  options: grpc.CallOptions = {},
): Promise<Said> {
  return new Promise(resolve => {
    let head: grpc.Metadata | undefined;
    let error: grpc.ServiceError | null = null;
    let answer: Words | undefined;
    const call = client.Say(words, sent, options, (failure, words) => {
      error = failure;
      answer = words;
    });
    call.on('metadata', received => {
      head = received;
    });
    // grpc-js tells the callback first, then this.
    call.on('status', status => setImmediate(() => resolve({ error, words: answer, head, status })));
  });
}
