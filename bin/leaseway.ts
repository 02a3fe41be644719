#!/usr/bin/env node
// The command: checks that this Node can run it, then hands over to lib/cli.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(`leaseway: Node ${process.versions.node} is too old: use Node 24.12 or newer\n`);
  process.exit(1);
}

// `leaseway status | head` ends the pipe early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const { main } = await import('../lib/cli/main.ts');
const { processIo } = await import('../lib/cli/io.ts');
process.exitCode = await main(process.argv.slice(2), processIo());
