// An app that shares the session cookie through WorkOS's SDK for Node.js: `node app.mjs`, with its settings in environment
// variables. It does with the session what the SDK's docs do in their middleware, and says in JSON what came of it. On
// /refresh it refreshes without looking first; /favicon.ico is public.
import { createServer } from 'node:http';
import { WorkOS } from '@workos-inc/node';

const { API_KEY, CLIENT_ID, COOKIE_PASSWORD: cookiePassword, API_PORT, PORT } = process.env;
const { userManagement } = new WorkOS(API_KEY, {
  clientId: CLIENT_ID, apiHostname: 'localhost', https: false, port: Number(API_PORT),
});

const sealedSession = ({ headers }) => /(?:^|; )wos-session=([^;]*)/.exec(headers.cookie ?? '')?.[1] ?? '';

async function answer(request, response) {
  if (request.url === '/favicon.ico') return { status: 200 };
  const session = userManagement.loadSealedSession({ sessionData: sealedSession(request), cookiePassword });
  if (request.url !== '/refresh') {
    const { authenticated, sessionId } = await session.authenticate();
    if (authenticated) return { status: 200, authenticated, sessionId };
  }
  const { authenticated, sessionId, sealedSession: sealed, reason } = await session.refresh();
  if (authenticated) response.setHeader('Set-Cookie', `wos-session=${sealed}; Path=/; HttpOnly; SameSite=Lax`);
  return { status: authenticated ? 200 : 401, authenticated, sessionId, reason, refreshed: authenticated };
}

createServer(async (request, response) => {
  try {
    const { status, ...body } = await answer(request, response);
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(String(error));
  }
}).listen(Number(PORT), '127.0.0.1');
