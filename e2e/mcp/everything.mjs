// The server that the official conformance tool asks for: node everything.mjs <host:port>
//
// It has the tools, resources and prompts of the tool's `server` scenarios: such as a server that asks the client something while it answers a
// call, which needs a stream in one direction and a request in the other.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CreateMessageResultSchema, ElicitResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const image = { type: "image", data: pixel, mimeType: "image/png" };
const embedded = { type: "resource", resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "This is an embedded resource content." } };

function everything() {
	const server = new McpServer({ name: "everything", version: "1.0.0" }, { capabilities: { logging: {} } });
	const tool = (name, inputSchema, call) => server.registerTool(name, { description: name, inputSchema }, call);
	tool("test_simple_text", {}, () => text("This is a simple text response for testing."));
	tool("test_image_content", {}, () => ({ content: [image] }));
	tool("test_multiple_content_types", {}, () => ({ content: [{ type: "text", text: "Multiple content types test:" }, image, embedded] }));
	tool("test_embedded_resource", {}, () => ({ content: [embedded] }));
	tool("test_error_handling", {}, () => { throw new Error("This tool intentionally returns an error for testing"); });
	tool("test_tool_with_logging", {}, async (_, { sendNotification }) => {
		for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
			await sendNotification({ method: "notifications/message", params: { level: "info", data } });
		}
		return text("logged");
	});
	tool("test_tool_with_progress", {}, async (_, { sendNotification, _meta }) => {
		for (const progress of [0, 50, 100]) {
			await sendNotification({ method: "notifications/progress", params: { progressToken: _meta.progressToken, progress, total: 100 } });
		}
		return text("done");
	});
	tool("test_sampling", { prompt: z.string() }, async ({ prompt }, { sendRequest }) => {
		// On the call's own stream: the client's other one may not be there yet.
		const params = { messages: [{ role: "user", content: { type: "text", text: prompt } }], maxTokens: 100 };
		const answer = await sendRequest({ method: "sampling/createMessage", params }, CreateMessageResultSchema);
		return text(`LLM response: ${answer.content.text}`);
	});
	tool("test_elicitation", { message: z.string() }, async ({ message }, { sendRequest }) => {
		const requestedSchema = { type: "object", properties: { username: { type: "string" }, email: { type: "string" } }, required: ["username", "email"] };
		return text(`User response: ${JSON.stringify(await sendRequest({ method: "elicitation/create", params: { message, requestedSchema } }, ElicitResultSchema))}`);
	});
	server.registerResource("text", "test://static-text", {}, (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: "This is the content of the static text resource." }] }));
	server.registerResource("binary", "test://static-binary", {}, (uri) => ({ contents: [{ uri: uri.href, mimeType: "image/png", blob: pixel }] }));
	server.registerResource("template", new ResourceTemplate("test://template/{id}/data", { list: undefined }), {}, (uri, { id }) =>
		({ contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] }));
	const says = (value) => ({ messages: [{ role: "user", content: { type: "text", text: value } }] });
	server.registerPrompt("test_simple_prompt", { description: "simple" }, () => says("This is a simple prompt for testing."));
	server.registerPrompt("test_prompt_with_arguments", { description: "arguments", argsSchema: { arg1: z.string(), arg2: z.string() } }, ({ arg1, arg2 }) =>
		says(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`));
	return server;
}

const sessions = new Map();
const [host, port] = process.argv[2].split(":");
createServer(async (request, response) => {
	if (request.url !== "/mcp") {
		response.end("ready");
		return;
	}
	let transport = sessions.get(request.headers["mcp-session-id"]);
	if (!transport) {
		transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => sessions.set(id, transport), onsessionclosed: (id) => sessions.delete(id) });
		await everything().connect(transport);
	}
	await transport.handleRequest(request, response);
}).listen(Number(port), host);
