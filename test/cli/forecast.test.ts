// The commands on what is to come, against a control plane that only remembers.

import t from 'tap';
import type { EventReport } from '../../lib/control/forecast/ports.ts';
import { LeasewayError } from '../../lib/core/errors.ts';
import { EXIT } from '../../lib/core/exit-codes.ts';
import { adminFixture, TOKEN } from '../support/admin-fixture.ts';
import { runCli } from '../support/run-cli.ts';

type Test = Parameters<typeof adminFixture>[0];

async function running(t: Test) {
  const { control, port } = await adminFixture(t);
  const env = { LEASEWAY_ADMIN: `http://127.0.0.1:${port}`, LEASEWAY_TOKEN: TOKEN };
  return { control, cli: (...args: string[]) => runCli(args, { env }) };
}

const eventIn = (fromMs: number, more: Partial<EventReport> = {}): EventReport => ({
  ...{ id: 'reindex-1', cluster: 'web', name: 'reindex', backends: null, factor: 4, source: 'announced' },
  ...{ startMs: Date.now() + fromMs, endMs: Date.now() + fromMs + 90_000 },
  ...more,
});

t.test('announce says what is known from now on, and sends it as it was said', async t => {
  const { control, cli } = await running(t);
  const once = await cli('announce', 'web/web-1', '--factor', '2.5', '--in', '10s', '--for', '1m30s');
  t.equal(once.code, EXIT.ok);
  t.match(once.out, /^announced announced-1: 2\.5 × the load of web\/web-1, /);
  const named = await cli('announce', 'web', '--factor', '0', '--name', 'sale', '--json');
  t.match(JSON.parse(named.out).event, { id: 'sale-1', cluster: 'web', backends: null, factor: 0 });
  t.same(control.calls, [
    'announce web announced web-1 2.5 1010000 1100000',
    'announce web sale null 0 1000000 1060000',
  ]);
});

t.test('announce: what is missing or wrong is said, and nothing is announced', async t => {
  const { control, cli } = await running(t);
  const wrong: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [[], /what is it about\?: write CLUSTER or CLUSTER\/BACKEND/],
    [['--factor', '4'], /what is it about\?/],
    [['web/', '--factor', '4'], /"web\/" names no cluster or backend/],
    [['/web-1', '--factor', '4'], /"\/web-1" names no cluster or backend/],
    [['web'], /how much load is to be expected\?: say --factor/],
    [['web', '--factor', 'much'], /'much' is invalid\. expected a number from 0 to 50/],
    [['web', '--factor', ' '], /expected a number from 0 to 50/],
    [['web', '--factor', '-1'], /expected a number from 0 to 50/],
    [['web', '--factor', '51'], /expected a number from 0 to 50/],
    [['web', '--factor', 'NaN'], /expected a number from 0 to 50/],
    [['web', '--factor', '4', '--in', '10'], /'10' is invalid\. expected a duration such as 10s or 5m/],
    [['web', '--factor', '4', '--in', '-5s'], /expected a duration/],
    [['web', '--factor', '4', '--for', 'long'], /'long' is invalid\. expected a duration/],
    [['web', '--factor', '4', '--for', '1 m'], /expected a duration/],
  ];
  for (const [args, says] of wrong) {
    const { code, out, err } = await cli('announce', ...args);
    t.equal(code, EXIT.usage, args.join(' '));
    t.match(err, says);
    t.equal(out, '');
  }
  t.same(control.calls, []);
});

t.test('announce: who is not there, and what the API refuses, is an error of its own', async t => {
  const { control, cli } = await running(t);
  const { code, err } = await cli('announce', 'web/web-9', '--factor', '4');
  t.equal(code, EXIT.notFound);
  t.match(err, /web-9/);
  control.forecasts.announce = ({ cluster }) => {
    throw new LeasewayError('NOT_FOUND', `cluster ${cluster}`);
  };
  t.match(await cli('announce', 'nowhere', '--factor', '4'), {
    code: EXIT.notFound,
    err: /nowhere/,
    out: '',
  });
});

t.test('announce --list: what holds, what is to come, and that there is nothing', async t => {
  const { control, cli } = await running(t);
  const events = [eventIn(600_500), eventIn(-30_000, { id: 'sale-2', backends: ['web-1', 'web-2'] })];
  control.forecasts_ = [{ ...control.forecasts_[0]!, events }];
  const { out, code } = await cli('announce', '--list');
  t.equal(code, EXIT.ok);
  const [first, second, ...rest] = out.split('\n');
  t.match(first, /^reindex-1: 4 × the load of web, in (10m|9m5\ds) for 1m30s$/);
  t.match(second, /^sale-2: 4 × the load of web\/web-1, web\/web-2, now, for another (1m|5\ds)$/);
  t.same(rest, ['']);
  t.same(JSON.parse((await cli('announce', '--list', '--json')).out).items, events);
  control.forecasts_ = [];
  t.equal((await cli('announce', '--list')).out, 'nothing is known to come\n');
  t.same(control.calls, []);
});

t.test('announce --cancel takes one back', async t => {
  const { control, cli } = await running(t);
  t.match(await cli('announce', '--cancel', 'sale-1'), { code: EXIT.ok, out: 'sale-1 is cancelled\n' });
  t.type(JSON.parse((await cli('announce', '--cancel', 'a/b', '--json')).out).revision, 'number');
  t.same(control.calls, ['cancel sale-1', 'cancel a/b']);
  control.forecasts.cancel = id => {
    throw new LeasewayError('NOT_FOUND', `event ${id}`);
  };
  t.match(await cli('announce', '--cancel', 'gone'), { code: EXIT.notFound, out: '', err: /event gone/ });
});

t.test('forecast shows load, what is foreseen, its quality and what is known to come', async t => {
  const { control, cli } = await running(t);
  control.forecasts_ = [{ ...control.forecasts_[0]!, events: [eventIn(600_500)] }];
  const { out, code } = await cli('forecast', 'web');
  t.equal(code, EXIT.ok);
  const [head, row, quality, together, minutesHead, minutes, event, networks, ...rest] = out.split('\n');
  t.match(head, /^BACKEND +LOAD +OF +AGE +IN 10s +OVERLOAD +GATE +DETAIL$/);
  t.match(
    row,
    /^web\/web-1 +0\.31 +in_flight +0 +1\.18\.\.1\.34 +97 % +shut +predicted load 1\.18 is over 0\.70; event reindex$/,
  );
  t.equal(quality, 'quality 10s ahead: MASE 0.74, pinball of P90 0.006, precision -, recall -');
  t.equal(together, 'all together: work for 1.31 of 3 backends now; 21d of it known');
  t.match(minutesHead, /^IN +LOAD +MASE +SIMPLE +REGRESSION +NETWORK +DETAIL$/);
  t.match(
    minutes,
    /^15m +0\.47\.\.0\.55 +0\.71 +0\.78 +0\.76 +0\.72 +the network counts \(error 0\.96 × that without\)$/,
  );
  t.match(event, /^event reindex-1: 4 × the load of web, in /);
  t.equal(networks, 'networks: 4 trained in 4.2 s of CPU');
  t.same(rest, ['']);
  const { items } = JSON.parse((await cli('forecast', '--json')).out);
  t.match(items, [{ cluster: 'web', backends: [{ id: 'web-1', load: 0.31 }] }]);
  t.notOk('seconds' in items[0].backends[0], 'a minute of seconds is asked for by backend');
});

t.test('forecast says what is odd of a backend, and leaves blank what is not known', async t => {
  const { control, cli } = await running(t);
  const [report] = control.forecasts_;
  const backend = report!.backends[0]!;
  const odd = { ...backend, doubt: 'contradicts', state: 'diverged', outside: true, gate: 'open' } as const;
  const fresh = { ...backend, id: 'web-2', load: null, resource: null, ageMs: null, horizons: [] };
  control.forecasts_ = [{ ...report!, backends: [odd, { ...fresh, gateReason: '', events: [] }] }];
  const [, first, second] = (await cli('forecast')).out.split('\n');
  t.match(
    first,
    / open +.*; outside the pool; its reports are doubted: contradicts; the forecast diverged; event reindex$/,
  );
  t.match(second, /^web\/web-2 +- +0 % +shut *$/);
});

t.test('forecast, minutes ahead: what is not known yet, what failed, and that it is off', async t => {
  const { control, cli } = await running(t);
  const [report] = control.forecasts_;
  const outlook = report!.outlook!;
  const quality = { ...outlook.horizons[0]!.quality, standing: 'none' as const, network: Number.NaN };
  const fresh = { ...outlook.horizons[0]!, quality };
  control.forecasts_ = [{ ...report!, outlook: { ...outlook, horizons: [fresh] } }];
  control.training_ = { ...control.training_, state: 'waiting', done: 0, failed: 2, failure: 'exit 1' };
  const { out } = await cli('forecast', 'web');
  t.match(out, /^15m +0\.47\.\.0\.55 +0\.71 +0\.78 +0\.76 +- +no network yet$/m);
  t.match(out, /^networks: 2 failed, the last one: exit 1$/m);
  control.training_ = { ...control.training_, state: 'training', cluster: 'web', failed: 0, failure: null };
  t.match((await cli('forecast')).out, /^networks: training the network of web$/m);
  control.forecasts_ = [{ ...report!, outlook: null }];
  t.notMatch((await cli('forecast')).out, /together|network/);
});

t.test('forecast: no such cluster, none at all, and one that foresees nothing', async t => {
  const { control, cli } = await running(t);
  t.match(await cli('forecast', 'nowhere'), { code: EXIT.notFound, out: '', err: /cluster nowhere/ });
  control.forecasts_ = [{ ...control.forecasts_[0]!, backends: [] }];
  t.equal((await cli('forecast')).out, 'web: nothing is foreseen (forecast: off, or no backends)\n');
  control.forecasts_ = [];
  t.equal((await cli('forecast')).out, 'no clusters\n');
});
