// What a person does in a real browser: `node chromium.mjs SCENARIO`, with {chromium, origin, email, ...} as JSON on standard
// input, and what was seen as JSON on standard output. The pages are those of pages_test.go.
import { json } from 'node:stream/consumers';
import { chromium } from 'playwright-core';

const input = await json(process.stdin);
const { origin, email } = input;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath: input.chromium, args: flags });
const context = await browser.newContext();
context.setDefaultTimeout(20_000);
const page = await context.newPage();

const atAuthKit = (url) => url.pathname === '/user_management/authorize';

// Signs in at AuthKit's page, which is open, and waits for a page of the app's.
async function signIn(at = page) {
  await at.waitForURL(atAuthKit);
  await at.fill('input[type=email]', email);
  await Promise.all([at.waitForURL((url) => !atAuthKit(url) && !url.pathname.startsWith('/_auth/')), at.click('form.field button')]);
}

// Opens a page of the app's as somebody who has signed in for it.
async function open(path) {
  await page.goto(origin + path);
  await signIn();
}

// The session ends for the browser, and nothing else that it keeps.
async function endSession() {
  await context.clearCookies({ name: /^wos-session/ });
}

const shown = async (at = page) => (await at.locator('body').innerText()).trim();

const scenarios = {
  // A page behind a service worker, whose session has ended.
  async worker() {
    await open(`/worker?kind=${input.kind}`);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await endSession();
    await page.goto(`${origin}/page`);
    const first = { atAuthKit: atAuthKit(new URL(page.url())), text: await shown() };
    if (!first.atAuthKit) await page.getByRole('link', { name: 'Sign in' }).click();
    await signIn();
    return { first, url: page.url(), text: await shown() };
  },

  // A page in a frame of another one, whose session has ended.
  async frame() {
    await open('/framing');
    await endSession();
    // Loaded anew by the page around it, or by itself: then nobody knows which page that is, and the sign-in has a new tab.
    const frame = page.frame({ name: 'framed' });
    if (input.newTab) await frame.goto(`${origin}/page`);
    else {
      await page.evaluate(() => { document.querySelector('iframe').src = '/page?again'; });
      await frame.waitForURL(`${origin}/page?again`);
    }
    const text = await shown(frame);
    const link = frame.getByRole('link', { name: 'Sign in' });
    const [tab] = input.newTab ? await Promise.all([context.waitForEvent('page'), link.click()]) : [page, await link.click()];
    await signIn(tab);
    return { text, url: tab.url() };
  },

  // A form that is sent when its session has ended: what was typed is still there afterwards.
  async form() {
    await open('/form');
    await page.fill('textarea', 'an hour of work');
    await endSession();
    await page.click('button');
    const text = await shown();
    const url = page.url();
    const [tab] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: 'Sign in' }).click()]);
    await signIn(tab);
    const signedInAt = tab.url();
    await tab.close();
    await page.goBack();
    const typed = await page.inputValue('textarea');
    await page.click('button');
    await page.waitForURL('**/save');
    return { text, url, signedInAt, typed, saved: await shown() };
  },

  // Two unrelated domains: a sign-in at each, and a sign-out at the first.
  async sites() {
    const seen = [];
    for (const site of input.sites) {
      await page.goto(`${site}/page?a=1`);
      await signIn();
      seen.push({ url: page.url(), text: await shown(), cookies: (await context.cookies(site)).map((c) => c.name + (c.domain ? ` ${c.domain}` : '')) });
    }
    await page.goto(`${input.sites[0]}/_auth/logout`);
    const after = [];
    for (const site of input.sites) {
      await page.goto(`${site}/page`);
      after.push(atAuthKit(new URL(page.url())) ? 'AuthKit' : await shown());
    }
    return { seen, after };
  },

  // A page of another origin that is an MCP client, such as MCP Inspector.
  async inspector() {
    await page.goto(input.page);
    return page.evaluate(async ({ resource, token }) => {
      const call = async (path, headers) => {
        const answer = await fetch(resource + path, {
          method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json', 'MCP-Protocol-Version': '2025-11-25', ...headers },
        });
        return { status: answer.status, challenge: answer.headers.get('WWW-Authenticate') };
      };
      const withToken = { Authorization: `Bearer ${token}` };
      const denied = await call('', {});
      const at = denied.challenge?.match(/resource_metadata="([^"]*)"/)?.[1];
      const metadata = await (await fetch(at, { headers: { 'MCP-Protocol-Version': '2025-11-25' } })).json();
      const server = metadata.authorization_servers[0];
      const authorizationServer = await (await fetch(`${server}/.well-known/oauth-authorization-server`, { headers: { 'MCP-Protocol-Version': '2025-11-25' } })).json();
      return { denied, resource: metadata.resource, issuer: authorizationServer.issuer, allowed: await call('', withToken), more: await call('/write', withToken) };
    }, input);
  },

  // A sign-out by the button of an app's page, with headers of the app's.
  async signOut() {
    await open(`/signing-out?header=${encodeURIComponent(input.header)}`);
    await page.click('button');
    await page.waitForURL(`${origin}/favicon.ico`);
    await page.goto(`${origin}/page`);
    return { url: page.url(), atAuthKit: atAuthKit(new URL(page.url())) };
  },
};

try {
  console.log(JSON.stringify(await scenarios[process.argv[2]]()));
} catch (error) {
  console.error(`${error}\nat ${page.url()}\n${await shown().catch(() => '')}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
