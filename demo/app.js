const element = (id) => document.getElementById(id)

// show says what came back, and where to sign in if that is what it takes.
function show(status, type, text, loginURL) {
  element('status').textContent = status
  element('type').textContent = type
  element('body').textContent = text
  element('sign-in').hidden = !loginURL
  if (loginURL) element('sign-in').firstChild.href = loginURL
  element('result').hidden = false
}

element('fetch').addEventListener('click', async () => {
  try {
    const response = await fetch('/api/whoami', { headers: { Accept: 'application/json' }, cache: 'no-store' })
    const status = response.status + ' ' + response.statusText
    const type = response.headers.get('Content-Type') || ''
    const text = await response.text()
    if (!type.includes('json')) return show(status, type, text)
    const body = JSON.parse(text)
    const here = body.login_url && new URL(body.login_url).origin === location.origin
    show(status, type, JSON.stringify(body, null, 2), here && body.login_url)
  } catch (error) {
    show('No answer', String(error), '')
  }
})
