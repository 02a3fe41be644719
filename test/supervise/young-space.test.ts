import { Worker } from 'node:worker_threads';
import t from 'tap';
import { makeRoomForTheYoung } from '../../lib/supervise/young-space.ts';

const MIB = 1024 * 1024;

/** Bytes of the young generation of a new thread that has made some garbage. */
async function youngBytes(): Promise<number> {
  const code = `
    let garbage = [];
    for (let i = 0; i < 200000; i++) garbage = [{ i }];
    const spaces = require('node:v8').getHeapSpaceStatistics();
    require('node:worker_threads').parentPort.postMessage(spaces.find(({ space_name: name }) => name === 'new_space').space_size);`;
  const thread = new Worker(code, { eval: true });
  const [bytes] = await new Promise<[number]>(done => thread.once('message', size => done([size])));
  await thread.terminate();
  return bytes;
}

t.test(
  'threads that start after it have room for thousands of requests before anything is collected',
  async t => {
    const before = await youngBytes();
    makeRoomForTheYoung();
    const after = await youngBytes();
    t.ok(
      before < 16 * MIB,
      `${before} bytes before: V8 has become generous by itself, and this is not needed`,
    );
    t.ok(after >= 16 * MIB, `${after} bytes`);
  },
);
