// A plain MCP server, which knows nothing of authorization: node server.mjs <sdk1|sdk2> <host:port>
//
// Its tools are read_file, write_file and watch_file. The last one reports progress, waits for a line on standard input, and
// answers then. Every request is one line of JSON on standard output, with the headers that arrived. GET / answers 200.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { McpServer as McpServer1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { createMcpHandler, McpServer as McpServer2 } from "@modelcontextprotocol/server";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });
const info = { name: "files", version: "1.0.0" };

const waiting = [];
createInterface({ input: process.stdin }).on("line", () => waiting.shift()?.());

function withTools(server, schema, progress) {
	server.registerTool("read_file", { inputSchema: schema({ path: z.string() }) }, ({ path }) => text(`read ${path}`));
	server.registerTool("write_file", { inputSchema: schema({ path: z.string() }) }, ({ path }) => text(`wrote ${path}`));
	server.registerTool("watch_file", { inputSchema: schema({ path: z.string() }) }, async ({ path }, context) => {
		const goOn = new Promise((resolve) => waiting.push(resolve));
		await progress(context, { progress: 1, total: 2, message: `watching ${path}` });
		await goOn;
		return text(`${path} has changed`);
	});
	return server;
}

// sdk1 has a session for each client, as that generation's examples do.
function sdk1() {
	const sessions = new Map();
	const notify = (context, params) =>
		context.sendNotification({ method: "notifications/progress", params: { ...params, progressToken: context._meta.progressToken } });
	return async (request, response) => {
		let transport = sessions.get(request.headers["mcp-session-id"]);
		if (!transport) {
			transport = new StreamableHTTPServerTransport({
				sessionIdGenerator: randomUUID,
				onsessioninitialized: (id) => sessions.set(id, transport),
				onsessionclosed: (id) => sessions.delete(id),
			});
			await withTools(new McpServer1(info), (shape) => shape, notify).connect(transport);
		}
		await transport.handleRequest(request, response);
	};
}

// sdk2 answers both generations of the protocol, without sessions.
function sdk2() {
	const notify = (context, params) =>
		context.mcpReq.notify({ method: "notifications/progress", params: { ...params, progressToken: context.mcpReq._meta.progressToken } });
	return toNodeHandler(createMcpHandler(() => withTools(new McpServer2(info), (shape) => z.object(shape), notify)));
}

const [generation, address] = process.argv.slice(2);
const handle = { sdk1, sdk2 }[generation]();
const [host, port] = address.split(":");
createServer((request, response) => {
	if (request.url === "/" || request.url === "/favicon.ico") {
		response.end("ready");
		return;
	}
	console.log(JSON.stringify({ method: request.method, url: request.url, headers: request.headers }));
	handle(request, response).catch((error) => {
		console.error(error);
		response.destroy();
	});
}).listen(Number(port), host);
