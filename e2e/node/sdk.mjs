// What an app does with WorkOS's SDK for Node.js: `node sdk.mjs COMMAND`, with JSON on standard input and output.
import { json } from 'node:stream/consumers';
import { WorkOS } from '@workos-inc/node';

const { apiKey, clientId, port, cookiePassword, ...input } = await json(process.stdin);
const { userManagement } = new WorkOS(apiKey, { clientId, apiHostname: 'localhost', https: false, port });

const commands = {
  // A session cookie from a code, as in an app's callback.
  seal: ({ code }) =>
    userManagement.authenticateWithCode({ clientId, code, session: { sealSession: true, cookiePassword } }),

  // Who a session cookie belongs to, as in an app's middleware.
  authenticate: ({ sessionData }) => userManagement.loadSealedSession({ sessionData, cookiePassword }).authenticate(),

  refresh: ({ sessionData }) => userManagement.loadSealedSession({ sessionData, cookiePassword }).refresh(),
};

console.log(JSON.stringify(await commands[process.argv[2]](input)));
