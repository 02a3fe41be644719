// The example page: names its backend, shows the lease at work, and talks over a WebSocket.

/** `name` is ours and needs no escaping. */
export const page = (name: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${name} behind leaseway</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }
  h1 span { color: #0a7 }
  pre { border: 1px solid #8886; border-radius: .4rem; padding: .8rem; min-height: 4rem; overflow: auto }
</style>
<h1>This page came from <span>${name}</span></h1>
<p>Ten requests from this browser, which carries its lease in a cookie:</p>
<pre id="leased">…</pre>
<p>Ten requests without the cookie, each of which may be placed anew:</p>
<pre id="free">…</pre>
<p>The WebSocket: <b id="state">opening</b>. Drain its backend and watch it move.</p>
<pre id="socket"></pre>
<script type="module">
const show = (id, text) => { document.getElementById(id).textContent = text }
const names = async credentials => {
  const found = []
  for (let i = 0; i < 10; i++) {
    const answer = await fetch('whoami', { credentials, cache: 'no-store' })
    found.push(answer.ok ? (await answer.text()).trim() : 'status ' + answer.status)
  }
  return found.join('  ')
}
names('same-origin').then(text => show('leased', text), error => show('leased', String(error)))
names('omit').then(text => show('free', text), error => show('free', String(error)))

const lines = []
const say = text => { lines.push(new Date().toLocaleTimeString() + '  ' + text); show('socket', lines.slice(-12).join('\\n')) }
let waitMs = 500
const open = () => {
  const socket = new WebSocket(new URL('ws?hello', location.href.replace(/^http/, 'ws')))
  let beat
  socket.onopen = () => { show('state', 'open'); waitMs = 500; beat = setInterval(() => socket.send('echo at ' + new Date().toLocaleTimeString()), 3000) }
  socket.onmessage = event => say(event.data)
  socket.onclose = event => {
    clearInterval(beat)
    show('state', 'closed (' + event.code + '), opening again')
    say('closed with ' + event.code)
    setTimeout(open, waitMs)
    waitMs = Math.min(waitMs * 2, 8000)
  }
}
open()
</script>
</html>
`;
