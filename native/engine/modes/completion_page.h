// The page of a model that does not chat: a text, and what comes after it.
#pragma once

static const char COMPLETION_PAGE[] = R"page(<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>Completion</title>
<style>
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
  textarea { width: 100%; height: 60vh; font: inherit; box-sizing: border-box }
  input { width: 5rem }
</style>
<h1>Completion</h1>
<p>This model has no chat template. It goes on with a text.
<p><textarea id="text" autofocus placeholder="Begin a text here."></textarea>
<p><button id="go">Complete</button> <button id="stop" disabled>Stop</button>
<label>tokens <input id="count" type="number" min="1" value="128"></label>
<label>temperature <input id="heat" type="number" min="0" step="0.1" value="0.8"></label>
<span id="said" role="status"></span>
<script>
  const at = id => document.getElementById(id)
  let running
  at('stop').onclick = () => running.abort()
  at('go').onclick = async () => {
    running = new AbortController()
    at('go').disabled = true, at('stop').disabled = false, at('said').textContent = ''
    try {
      const headers = { 'Content-Type': 'application/json' }
      const key = sessionStorage.getItem('key')
      if (key) headers.Authorization = 'Bearer ' + key
      const body = { prompt: at('text').value, max_tokens: +at('count').value, temperature: +at('heat').value, stream: true }
      const answer = await fetch('v1/completions', { method: 'POST', headers, signal: running.signal, body: JSON.stringify(body) })
      if (answer.status == 401) sessionStorage.setItem('key', prompt('API key') || '')
      if (!answer.ok) throw new Error((await answer.json()).error.message)
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let rest = '', part; !(part = await reader.read()).done;) {
        const lines = (rest + part.value).split('\n')
        rest = lines.pop()
        for (const line of lines) {
          if (!line.startsWith('data: {')) continue
          const event = JSON.parse(line.slice(6))
          if (event.error) throw new Error(event.error.message)
          at('text').value += event.choices[0]?.text ?? ''
        }
      }
    } catch (error) {
      if (error.name != 'AbortError') at('said').textContent = error.message
    }
    at('go').disabled = false, at('stop').disabled = true
  }
</script>
)page";
