// A client of a remote MCP server by the official SDK: node client.mjs <sdk1|sdk2-legacy|sdk2-auto> <URL> [scope to ask for, too]
//
// As mcp-remote it is a bridge: JSON-RPC on standard input and output, one message a line, and the URL that the user shall visit
// on standard error. A message `connect` leads to another URL, with the same tokens, and `close` ends the session.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError as Unauthorized1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as Client2, StreamableHTTPClientTransport as Transport2, UnauthorizedError as Unauthorized2 } from "@modelcontextprotocol/client";

const [kind, firstURL, moreScope] = process.argv.slice(2);
const info = { name: "e2e", version: "1.0.0" };
const generations = {
	"sdk1": { Transport: Transport1, Unauthorized: Unauthorized1, client: () => new Client1(info) },
	"sdk2-legacy": { Transport: Transport2, Unauthorized: Unauthorized2, client: () => new Client2(info, { versionNegotiation: { mode: "legacy" } }) },
	"sdk2-auto": { Transport: Transport2, Unauthorized: Unauthorized2, client: () => new Client2(info, { versionNegotiation: { mode: "auto" } }) },
};
const { Transport, Unauthorized, client: newClient } = generations[kind];

// Where the browser comes back.
let callback;
const listener = createServer((request, response) => {
	const url = new URL(request.url, "http://127.0.0.1");
	response.end("You can close this page.");
	if (url.pathname === "/callback") callback(url.searchParams);
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;

const kept = {};
let answered;
const provider = {
	redirectUrl,
	clientMetadata: { client_name: kind, redirect_uris: [redirectUrl], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" },
	state: () => (kept.state = crypto.randomUUID()),
	clientInformation: () => kept.client,
	saveClientInformation: (client) => { kept.client = client; },
	tokens: () => kept.tokens,
	saveTokens: (tokens) => { kept.tokens = tokens; },
	codeVerifier: () => kept.verifier,
	saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
	redirectToAuthorization: (url) => {
		if (moreScope) url.searchParams.set("scope", `${url.searchParams.get("scope") ?? ""} ${moreScope}`.trim());
		answered = new Promise((resolve) => { callback = resolve; });
		process.stderr.write(`\nPlease authorize this client by visiting:\n${url}\n`);
	},
};

let client, transport, url = firstURL;

// signedIn does something, and once more after the user has been at AuthKit.
async function signedIn(action) {
	for (;;) {
		try {
			return await action();
		} catch (error) {
			if (!(error instanceof Unauthorized) || !answered) throw error;
		}
		const parameters = await answered;
		answered = undefined;
		if (parameters.get("state") !== kept.state) throw new Error("another state");
		if (!parameters.get("code")) throw new Error(`AuthKit: ${parameters.get("error")}`);
		await transport.finishAuth(parameters.get("code"), parameters.get("iss") ?? undefined);
	}
}

async function connect() {
	client = newClient();
	transport = new Transport(new URL(url), { authProvider: provider });
	await client.connect(transport);
}

const methods = {
	connect: async (params) => {
		url = params?.url || url;
		await client?.close();
		await signedIn(connect);
		return { server: client.getServerVersion() };
	},
	"tools/call": (params) => signedIn(() => client.callTool(params, ...(kind === "sdk1" ? [undefined] : []), {
		onprogress: (progress) => say({ method: "notifications/progress", params: progress }),
	})),
	close: async () => {
		await transport.terminateSession();
		await client.close();
		return {};
	},
};

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);

createInterface({ input: process.stdin }).on("line", async (line) => {
	const { id, method, params } = JSON.parse(line);
	try {
		say({ id, result: await methods[method](params) });
	} catch (error) {
		say({ id, error: { code: error.code ?? 0, message: String(error.message) } });
	}
}).on("close", () => process.exit(0));
