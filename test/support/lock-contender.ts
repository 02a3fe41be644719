// A child process that tries to take a lock and says on its standard output how that went; holds it until told otherwise.

import { messageOf } from '../../lib/core/errors.ts';
import { acquireLock, takeOverLock } from '../../lib/core/process-lock.ts';

const [directory = '', from = ''] = process.argv.slice(2);
process.stdout.write('ready\n');
// All contenders start on the same byte, so that they really race.
process.stdin.once('data', () => {
  try {
    if (from === '') acquireLock(directory);
    else takeOverLock(directory, Number(from));
    process.stdout.write('won\n');
    process.stdin.resume();
  } catch (error) {
    process.stdout.write(`lost ${messageOf(error)}\n`, () => process.exit(1));
  }
});
