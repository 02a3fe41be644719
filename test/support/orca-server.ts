// A gRPC server that reports its load on a stream, on @grpc/grpc-js: what leaseway has to understand.

import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface OrcaReport {
  readonly cpu_utilization?: number;
  readonly mem_utilization?: number;
  readonly eps?: number;
  readonly utilization?: Readonly<Record<string, number>>;
  readonly named_metrics?: Readonly<Record<string, number>>;
}
type Call = grpc.ServerWritableStream<
  { readonly report_interval: { readonly seconds: string; readonly nanos: number } | null },
  OrcaReport
>;

const service = (
  grpc.loadPackageDefinition(
    loadSync(join(import.meta.dirname, 'orca.proto'), { keepCase: true, longs: String }),
  ) as unknown as { xds: { service: { orca: { v3: { OpenRcaService: grpc.ServiceClientConstructor } } } } }
).xds.service.orca.v3.OpenRcaService;

export class OrcaServer implements AsyncDisposable {
  /** Streams that are open. */
  readonly calls = new Set<Call>();
  /** In all. */
  asked = 0;
  /** Of the last request. */
  intervalMs = 0;
  #server: grpc.Server | null = null;
  port = 0;

  /** `report` is sent to each who asks; without it nothing is. Implements nothing when `bare`. */
  static async start(
    report: OrcaReport | null,
    { bare = false, port = 0 }: { readonly bare?: boolean; readonly port?: number } = {},
  ): Promise<OrcaServer> {
    const orca = new OrcaServer();
    const server = new grpc.Server();
    orca.#server = server;
    if (!bare)
      server.addService(service.service, {
        StreamCoreMetrics: (call: Call) => {
          orca.asked += 1;
          orca.calls.add(call);
          const { seconds, nanos } = call.request.report_interval ?? { seconds: '0', nanos: 0 };
          orca.intervalMs = Number(seconds) * 1000 + nanos / 1e6;
          call.on('cancelled', () => orca.calls.delete(call));
          if (report !== null) call.write(report);
        },
      });
    orca.port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return orca;
  }

  say(report: OrcaReport): void {
    for (const call of this.calls) call.write(report);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.forceShutdown();
  }
}
