// The page of the chat and of the counter: what all users say, and what became of the connection meanwhile.

import { CLIENT_PATH } from './client-module.ts';

const TITLES: Readonly<Record<string, string>> = { chat: 'Chat', counter: 'Counter' };
const CONTROLS: Readonly<Record<string, string>> = {
  chat: '<form><input id="text" maxlength="500" placeholder="Say something" autofocus> <button>Send</button></form>',
  counter:
    '<p class="total"><button data-step="-1">−1</button> <output id="total">…</output> <button data-step="1">+1</button></p>',
};

/** `app` is one of ours and needs no escaping. What users said is put into the page as text. */
export const appPage = (app: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${TITLES[app]} behind leaseway</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color-scheme: light dark }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem }
  dd { margin: 0 } dd b { color: #0a7 }
  ol { border: 1px solid #8886; border-radius: .4rem; padding: .8rem; min-height: 12rem; list-style: none }
  ol small { opacity: .6 }
  .total { font-size: 2rem } .total button { font-size: 1.2rem }
</style>
<h1>${TITLES[app]}</h1>
${CONTROLS[app]}
<dl>
  <dt>Connected to<dd><b id="backend">…</b> (<span id="state">connecting</span>), as <span id="mode"></span>
  <dt>Moved to another backend<dd><b id="moves">0</b> times
  <dt>Disconnected<dd><b id="disconnects">0</b> times
  <dt>Entries<dd><b id="entries">0</b> received, <b id="missing">0</b> missing, <b id="doubled">0</b> doubled
</dl>
<p>Drain its backend, or announce a job there, and watch it move. <a id="other"></a></p>
<ol id="log"></ol>
<script type="module">
const sdk = new URLSearchParams(location.search).get('mode') === 'sdk'
const by = 'user-' + [...crypto.getRandomValues(new Uint8Array(2))].join('-')
const $ = id => document.getElementById(id)
const count = id => { $(id).textContent = Number($(id).textContent) + 1 }
$('mode').textContent = sdk ? 'leaseway/client with the envelope' : 'plain WebSocket'
$('other').textContent = sdk ? 'The same with a plain WebSocket' : 'The same with leaseway/client'
$('other').href = sdk ? '${app}' : '${app}?mode=sdk'

let at = 0, total = 0, socket
const take = message => {
  if ('hello' in message) {
    if (!['…', message.hello].includes($('backend').textContent)) count('moves')
    $('backend').textContent = message.hello
    if ('at' in message) { at = message.at; total = message.total }
  } else {
    if (message.n <= at) return count('doubled')
    for (at++; at < message.n; at++) count('missing')
    count('entries')
    if (typeof message.value === 'number') total += message.value
    const line = document.createElement('li'), who = document.createElement('small')
    who.textContent = message.n + ' by ' + message.by + ' via ' + message.backend + ': '
    line.append(who, String(message.value))
    $('log').append(line)
    while ($('log').children.length > 20) $('log').firstChild.remove()
  }
  if ($('total')) $('total').textContent = total
}
const say = value => socket.send(JSON.stringify({ by, value }))
const url = new URL('${app}/' + (sdk ? 'sdk' : 'ws'), location.href)

if (sdk) {
  const { LeasewaySocket, envelope } = await import('${CLIENT_PATH}')
  socket = new LeasewaySocket(url, [], { envelope: envelope() })
  socket.addEventListener('state', () => {
    $('state').textContent = socket.state
    if (socket.state === 'reconnecting') count('disconnects')
  })
  socket.onmessage = event => take(JSON.parse(event.data))
} else {
  const open = () => {
    socket = new WebSocket(url)
    socket.onopen = () => { $('state').textContent = 'open' }
    socket.onmessage = event => take(JSON.parse(event.data))
    socket.onclose = () => { $('state').textContent = 'closed'; count('disconnects'); setTimeout(open, 500) }
  }
  open()
}
document.querySelector('form')?.addEventListener('submit', event => {
  event.preventDefault()
  if ($('text').value !== '') say($('text').value)
  $('text').value = ''
})
for (const button of document.querySelectorAll('[data-step]')) button.onclick = () => say(Number(button.dataset.step))
</script>
</html>
`;
