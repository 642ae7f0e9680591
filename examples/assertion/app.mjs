// An app that believes nothing but the assertion: `node app.mjs`, with the npm package jose.
//   ISSUER    where the sign-in flow is, such as https://app.example.com/_auth
//   HOST      the app's own host, as browsers ask for it, with a port that isn't the scheme's own
import { createServer } from 'node:http';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { ISSUER: issuer, HOST: audience, PORT = '8080' } = process.env;
// Fetched when first needed, and again for a key that isn't known, at most every 30 seconds.
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks.json`));

async function whoAsks(request) {
  const assertion = request.headers['x-auth-request-assertion'];
  if (!assertion) return null;
  const { payload } = await jwtVerify(assertion, keys, { issuer, audience, algorithms: ['ES256'], clockTolerance: 10 });
  return payload;
}

createServer(async (request, response) => {
  try {
    const user = await whoAsks(request);
    if (user) return response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(user));
  } catch (error) {
    console.error(error.code ?? error); // never the assertion itself
  }
  response.writeHead(401).end();
}).listen(Number(PORT), '127.0.0.1');
