// Made from packages/client by `npm run generate`; changes here are lost.
// packages/client/src/result.ts
var HubRequestError = class extends Error {
	reason;
	constructor(reason) {
		super(reason.message);
		this.name = "HubRequestError";
		this.reason = reason;
	}
};
function unwrap(result) {
	if (result.ok) return result.value;
	throw new HubRequestError(result.error);
}
function succeed(value, status) {
	return {
		ok: true,
		value,
		status
	};
}
function fail(error) {
	return {
		ok: false,
		error
	};
}
// packages/client/src/path.ts
function buildPath(template, params) {
	const values = params;
	let isPossible = true;
	const path = template.replaceAll(/\{(\w+)\}/g, (variable, name) => {
		const value = values[name] ?? "";
		const mayBeEmpty = name === "server_name" && template.endsWith(variable);
		if (value === "." || value === ".." || value === "" && !mayBeEmpty) isPossible = false;
		return escapeSegment(value);
	});
	return isPossible ? path : void 0;
}
function escapeSegment(text) {
	return encodeURIComponent(text.toWellFormed()).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll("%40", "@");
}
// packages/client/src/transport.ts
const defaultTimeoutMs$1 = 6e4;
function createTransport(options) {
	const base = baseUrl(options.url);
	const send = async (request, call) => {
		const path = buildPath(request.template, request.params);
		if (path === void 0) return fail(unspeakable(request));
		const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs$1;
		const signals = [
			options.signal,
			call.signal,
			deadline(timeoutMs)
		];
		const signal = AbortSignal.any(signals.filter((each) => each !== void 0));
		try {
			return {
				ok: true,
				response: await (options.fetch ?? globalThis.fetch)(`${base}${path}${queryString(request.query)}`, {
					method: request.method,
					headers: headersOf(options, request),
					...request.body !== void 0 && { body: JSON.stringify(request.body) },
					credentials: options.token === void 0 ? "same-origin" : "omit",
					redirect: "manual",
					cache: "no-store",
					signal
				}),
				signal
			};
		} catch (error) {
			return fail(describeFailure(error, signal));
		}
	};
	return {
		options,
		send
	};
}
function describeFailure(error, signal) {
	if (signal.aborted) {
		const reason = signal.reason;
		return reason instanceof DOMException && reason.name === "TimeoutError" ? {
			kind: "timeout",
			message: "The hub did not answer in time."
		} : {
			kind: "aborted",
			message: "The request was aborted."
		};
	}
	return {
		kind: "unreachable",
		message: `The hub could not be reached: ${causeOf(error)}`,
		cause: error
	};
}
function deadline(timeoutMs) {
	return Number.isFinite(timeoutMs) ? AbortSignal.timeout(timeoutMs) : void 0;
}
function baseUrl(url) {
	const { location } = globalThis;
	const absolute = new URL(url, location?.href);
	return `${absolute.origin}${absolute.pathname.replace(/\/+$/, "")}`;
}
function headersOf(options, request) {
	const { token, xsrf } = options;
	return {
		Accept: request.accept,
		...request.method !== "GET" && { "Content-Type": "application/json" },
		...token !== void 0 && { Authorization: `token ${token}` },
		...token === void 0 && xsrf !== void 0 && { "X-XSRFToken": xsrf }
	};
}
function queryString(query) {
	const given = new URLSearchParams();
	for (const [key, value] of Object.entries(query)) if (value !== void 0) given.set(key, String(value));
	return given.size === 0 ? "" : `?${given.toString()}`;
}
function unspeakable(request) {
	return {
		kind: "invalid",
		message: `'${Object.values(request.params).find((value) => /^\.{0,2}$/.test(value)) ?? ""}' can be no name in a URL.`
	};
}
function causeOf(error) {
	const cause = error instanceof Error ? error.cause ?? error : error;
	const { code, message } = cause;
	if (typeof message === "string" && message !== "") return message;
	return typeof code === "string" ? code : String(cause);
}
// packages/client/src/answer.ts
const defaultMaxBytes = 67108864;
const maxMessageChars = 500;
async function readAnswer(response, options) {
	const { status } = response;
	let text;
	try {
		text = await readText(response, options.maxBytes ?? defaultMaxBytes);
	} catch (error) {
		return fail(describeFailure(error, options.signal));
	}
	if (text === void 0) return malformed(response, "is too long");
	if (isRedirect(response)) return malformed(response, "leads elsewhere; is the address right?");
	const isJson = /^application\/json\b/i.test(response.headers.get("content-type") ?? "");
	if (!response.ok) return fail(refusal(response, isJson ? parse(text) : void 0));
	if (text === "") return succeed(void 0, status);
	const value = isJson ? parse(text) : void 0;
	return value === void 0 ? malformed(response, "is not JSON") : succeed(value, status);
}
function refusal(response, body) {
	const { status } = response;
	const given = typeof body === "object" && body !== null && "message" in body ? body.message : void 0;
	const message = typeof given === "string" && given !== "" ? given.slice(0, maxMessageChars) : `The hub answered ${status}${response.statusText === "" ? "" : ` ${response.statusText}`}.`;
	const retryAfterMs = readRetryAfter(response);
	return {
		kind: "refused",
		status,
		message,
		...retryAfterMs !== void 0 && { retryAfterMs }
	};
}
function readRetryAfter(response) {
	const text = response.headers.get("retry-after") ?? "";
	return /^\d{1,9}$/.test(text) ? Number(text) * 1e3 : void 0;
}
function malformed(response, what) {
	const { status } = response;
	return fail({
		kind: "malformed",
		message: `The answer (status ${status}) ${what}: this is not a hub's API.`,
		status
	});
}
function isRedirect({ status, type }) {
	return type === "opaqueredirect" || status >= 300 && status < 400;
}
async function readText(response, maxBytes) {
	if (response.body === null) return "";
	const reader = response.body.getReader();
	const decoder = new TextDecoder();
	let text = "";
	let bytes = 0;
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return text + decoder.decode();
		bytes += value.byteLength;
		if (bytes > maxBytes) {
			await reader.cancel().catch(() => void 0);
			return;
		}
		text += decoder.decode(value, { stream: true });
	}
}
function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return;
	}
}
// packages/client/src/generated.ts
const operations = {
	getVersion: {
		method: "GET",
		path: "/"
	},
	getInfo: {
		method: "GET",
		path: "/info"
	},
	whoami: {
		method: "GET",
		path: "/user"
	},
	shutDown: {
		method: "POST",
		path: "/shutdown"
	},
	listUsers: {
		method: "GET",
		path: "/users"
	},
	createUsers: {
		method: "POST",
		path: "/users"
	},
	getUser: {
		method: "GET",
		path: "/users/{name}"
	},
	createUser: {
		method: "POST",
		path: "/users/{name}"
	},
	updateUser: {
		method: "PATCH",
		path: "/users/{name}"
	},
	deleteUser: {
		method: "DELETE",
		path: "/users/{name}"
	},
	reportActivity: {
		method: "POST",
		path: "/users/{name}/activity"
	},
	grantAdminAccess: {
		method: "POST",
		path: "/users/{name}/admin-access"
	},
	getDefaultServer: {
		method: "GET",
		path: "/users/{name}/server"
	},
	createDefaultServer: {
		method: "PUT",
		path: "/users/{name}/server"
	},
	startDefaultServer: {
		method: "POST",
		path: "/users/{name}/server"
	},
	updateDefaultServer: {
		method: "PATCH",
		path: "/users/{name}/server"
	},
	stopDefaultServer: {
		method: "DELETE",
		path: "/users/{name}/server"
	},
	followDefaultServerProgress: {
		method: "GET",
		path: "/users/{name}/server/progress"
	},
	getServer: {
		method: "GET",
		path: "/users/{name}/servers/{server_name}"
	},
	createServer: {
		method: "PUT",
		path: "/users/{name}/servers/{server_name}"
	},
	startServer: {
		method: "POST",
		path: "/users/{name}/servers/{server_name}"
	},
	updateServer: {
		method: "PATCH",
		path: "/users/{name}/servers/{server_name}"
	},
	stopServer: {
		method: "DELETE",
		path: "/users/{name}/servers/{server_name}"
	},
	followServerProgress: {
		method: "GET",
		path: "/users/{name}/servers/{server_name}/progress"
	},
	listTokens: {
		method: "GET",
		path: "/users/{name}/tokens"
	},
	createToken: {
		method: "POST",
		path: "/users/{name}/tokens"
	},
	getToken: {
		method: "GET",
		path: "/users/{name}/tokens/{token_id}"
	},
	deleteToken: {
		method: "DELETE",
		path: "/users/{name}/tokens/{token_id}"
	},
	listServices: {
		method: "GET",
		path: "/services"
	},
	getService: {
		method: "GET",
		path: "/services/{name}"
	},
	createService: {
		method: "POST",
		path: "/services/{name}"
	},
	deleteService: {
		method: "DELETE",
		path: "/services/{name}"
	},
	listGroups: {
		method: "GET",
		path: "/groups"
	},
	createGroups: {
		method: "POST",
		path: "/groups"
	},
	getGroup: {
		method: "GET",
		path: "/groups/{name}"
	},
	createGroup: {
		method: "POST",
		path: "/groups/{name}"
	},
	deleteGroup: {
		method: "DELETE",
		path: "/groups/{name}"
	},
	addGroupUsers: {
		method: "POST",
		path: "/groups/{name}/users"
	},
	removeGroupUsers: {
		method: "DELETE",
		path: "/groups/{name}/users"
	},
	setGroupProperties: {
		method: "PUT",
		path: "/groups/{name}/properties"
	},
	listRoles: {
		method: "GET",
		path: "/roles"
	},
	getRole: {
		method: "GET",
		path: "/roles/{name}"
	},
	listSharesOfOwner: {
		method: "GET",
		path: "/shares/{name}"
	},
	listShares: {
		method: "GET",
		path: "/shares/{name}/{server_name}"
	},
	share: {
		method: "POST",
		path: "/shares/{name}/{server_name}"
	},
	revokeShare: {
		method: "PATCH",
		path: "/shares/{name}/{server_name}"
	},
	revokeShares: {
		method: "DELETE",
		path: "/shares/{name}/{server_name}"
	},
	listSharesWithUser: {
		method: "GET",
		path: "/users/{name}/shared"
	},
	getShareWithUser: {
		method: "GET",
		path: "/users/{name}/shared/{owner}/{server_name}"
	},
	leaveShareWithUser: {
		method: "DELETE",
		path: "/users/{name}/shared/{owner}/{server_name}"
	},
	listSharesWithGroup: {
		method: "GET",
		path: "/groups/{name}/shared"
	},
	getShareWithGroup: {
		method: "GET",
		path: "/groups/{name}/shared/{owner}/{server_name}"
	},
	leaveShareWithGroup: {
		method: "DELETE",
		path: "/groups/{name}/shared/{owner}/{server_name}"
	},
	listShareCodesOfOwner: {
		method: "GET",
		path: "/share-codes/{name}"
	},
	listShareCodes: {
		method: "GET",
		path: "/share-codes/{name}/{server_name}"
	},
	createShareCode: {
		method: "POST",
		path: "/share-codes/{name}/{server_name}"
	},
	deleteShareCodes: {
		method: "DELETE",
		path: "/share-codes/{name}/{server_name}"
	},
	getProxyRoutes: {
		method: "GET",
		path: "/proxy"
	},
	checkProxyRoutes: {
		method: "POST",
		path: "/proxy"
	},
	changeProxy: {
		method: "PATCH",
		path: "/proxy"
	},
	resolveToken: {
		method: "GET",
		path: "/authorizations/token/{token}"
	},
	resolveCookieInBody: {
		method: "GET",
		path: "/authorizations/cookie/{cookie_name}"
	},
	resolveCookie: {
		method: "GET",
		path: "/authorizations/cookie/{cookie_name}/{cookie_value}"
	}
};
// packages/client/src/call.ts
function createCall(transport) {
	return async (id, request, { accept = "application/json", ...options } = {}) => {
		const sent = await sendOperation(transport, id, {
			request,
			accept,
			options
		});
		if (!sent.ok) return fail(sent.error);
		const { maxAnswerBytes: maxBytes } = transport.options;
		return await readAnswer(sent.response, {
			signal: sent.signal,
			maxBytes
		});
	};
}
function sendOperation(transport, id, input) {
	const { method, path: template } = operations[id];
	const { params = {}, query = {}, body } = input.request;
	return transport.send({
		method,
		template,
		params,
		query,
		body,
		accept: input.accept
	}, input.options);
}
// packages/client/src/pages.ts
const paginationType = "application/jupyterhub-pagination+json";
function toPage({ items, _pagination }) {
	const { offset, limit, total, next } = _pagination;
	return {
		items,
		offset,
		limit,
		total,
		nextOffset: next?.offset
	};
}
async function* eachPage(load, offset = 0) {
	let next = offset;
	while (next !== void 0) {
		const result = await load(next);
		yield result;
		const following = result.ok ? result.value.nextOffset : void 0;
		next = following !== void 0 && following > next ? following : void 0;
	}
}
// packages/client/src/resources/groups.ts
function createGroupsResource(call) {
	const list = async (query = {}, options) => {
		const result = await call("listGroups", { query }, {
			...options,
			accept: paginationType
		});
		return result.ok ? succeed(toPage(inEnvelope$2(result.value)), result.status) : result;
	};
	return {
		list,
		pages: (query = {}, options) => eachPage((offset) => list({
			...query,
			offset
		}, options), query.offset),
		get: (name, options) => call("getGroup", { params: { name } }, options),
		create: (name, users = [], options) => call("createGroup", {
			params: { name },
			body: { users }
		}, options),
		remove: (name, options) => call("deleteGroup", { params: { name } }, options),
		addMembers: (name, users, options) => call("addGroupUsers", {
			params: { name },
			body: { users }
		}, options),
		removeMembers: (name, users, options) => call("removeGroupUsers", {
			params: { name },
			body: { users }
		}, options),
		setProperties: (name, properties, options) => call("setGroupProperties", {
			params: { name },
			body: properties
		}, options)
	};
}
function inEnvelope$2(answer) {
	if ("_pagination" in answer) return answer;
	const { length } = answer;
	return {
		items: answer,
		_pagination: {
			offset: 0,
			limit: length,
			total: length,
			next: null
		}
	};
}
// packages/client/src/resources/hub.ts
function createHubResource(call) {
	return {
		version: (options) => call("getVersion", {}, options),
		info: (options) => call("getInfo", {}, options),
		whoami: (options) => call("whoami", {}, options),
		shutDown: (body = {}, options) => call("shutDown", { body }, options)
	};
}
// packages/client/src/resources/roles.ts
function createRolesResource(call) {
	return {
		list: (options) => call("listRoles", {}, options),
		get: (name, options) => call("getRole", { params: { name } }, options)
	};
}
// packages/client/src/resources/routes.ts
function createRoutesResource(call) {
	const list = async (query = {}, options) => {
		const result = await call("getProxyRoutes", { query }, {
			...options,
			accept: paginationType
		});
		return result.ok ? succeed(toPage(inEnvelope$1(result.value)), result.status) : result;
	};
	return {
		list,
		pages: (query = {}, options) => eachPage((offset) => list({
			...query,
			offset
		}, options), query.offset),
		check: (options) => call("checkProxyRoutes", {}, options)
	};
}
function inEnvelope$1(answer) {
	if ("_pagination" in answer && "items" in answer) {
		const envelope = answer;
		return {
			...envelope,
			items: Object.values(envelope.items)
		};
	}
	const items = Object.values(answer);
	const { length } = items;
	return {
		items,
		_pagination: {
			offset: 0,
			limit: length,
			total: length,
			next: null
		}
	};
}
// packages/client/src/event-stream.ts
const defaultMaxChars = 1048576;
var EventStreamError = class extends Error {
	constructor(message) {
		super(message);
		this.name = "EventStreamError";
	}
};
var EventStreamParser = class {
	#decoder = new TextDecoder();
	#maxChars;
	#line = "";
	#data = [];
	#dataChars = 0;
	#endedWithCr = false;
	constructor(options = {}) {
		this.#maxChars = options.maxChars ?? defaultMaxChars;
	}
	push(chunk) {
		let text = this.#decoder.decode(chunk, { stream: true });
		if (text === "") return [];
		if (this.#endedWithCr && text.startsWith("\n")) text = text.slice(1);
		this.#endedWithCr = text.endsWith("\r");
		const lines = text.split(/\r\n|\n|\r/);
		const events = [];
		for (const [index, part] of lines.entries()) {
			this.#line += part;
			this.#check(this.#line.length);
			if (index === lines.length - 1) break;
			const event = this.#endLine();
			if (event !== void 0) events.push(event);
		}
		return events;
	}
	#endLine() {
		const line = this.#line;
		this.#line = "";
		if (line === "") return this.#dispatch();
		if (line !== "data" && !line.startsWith("data:")) return void 0;
		const value = line.slice(5).replace(/^ /, "");
		this.#data.push(value);
		this.#dataChars += value.length + 1;
		this.#check(this.#dataChars);
	}
	#dispatch() {
		if (this.#data.length === 0) return void 0;
		const event = this.#data.join("\n");
		this.#data = [];
		this.#dataChars = 0;
		return event;
	}
	#check(length) {
		if (length > this.#maxChars) throw new EventStreamError(`an event is longer than ${this.#maxChars} characters`);
	}
};
// packages/client/src/replay-filter.ts
const maxRemembered = 1e3;
var ReplayFilter = class {
	#delivered = [];
	#position = 0;
	get size() {
		return this.#delivered.length;
	}
	restart() {
		this.#position = 0;
	}
	hasHad(text) {
		if (this.#delivered[this.#position] === text) {
			this.#position++;
			return true;
		}
		if (this.#delivered.length < maxRemembered) this.#delivered.push(text);
		this.#position = Infinity;
		return false;
	}
};
// packages/client/src/server-ref.ts
function byName({ user, server = "" }) {
	return server === "" ? {
		name: user,
		server_name: "-"
	} : {
		name: user,
		server_name: server
	};
}
// packages/client/src/progress.ts
const defaultTimeoutMs = 9e5;
const defaultSilenceMs = 3e4;
const firstPauseMs = 200;
const maxPauseMs = 5e3;
const maxDrops = 20;
const maxDropsAtFirst = 3;
async function* followProgress(transport, server, options = {}) {
	const { signal, timeoutMs = defaultTimeoutMs, silenceMs = defaultSilenceMs } = options;
	const deadline = AbortSignal.timeout(timeoutMs);
	const outer = [transport.options.signal, signal].filter((each) => each !== void 0);
	const ends = AbortSignal.any([...outer, deadline]);
	const filter = new ReplayFilter();
	for (let drops = 0;;) {
		filter.restart();
		const before = filter.size;
		const ending = yield* readOnce(transport, server, {
			ends,
			silenceMs,
			filter
		});
		if (ending.kind === "done") return;
		if (filter.size > before) drops = 0;
		drops++;
		if (ending.kind === "over" || ends.aborted || drops >= (filter.size > 0 ? maxDrops : maxDropsAtFirst)) {
			yield {
				kind: "lost",
				error: ends.aborted ? describeFailure(void 0, ends) : ending.error
			};
			return;
		}
		await pause(ending.retryAfterMs ?? firstPauseMs * 2 ** (drops - 1), ends);
	}
}
async function* readOnce(transport, server, { ends, silenceMs, filter }) {
	const connection = new AbortController();
	const silence = new Silence(connection, silenceMs);
	try {
		const sent = await sendOperation(transport, progressOf(server), {
			request: { params: byName(server) },
			accept: "text/event-stream, application/json",
			options: {
				signal: AbortSignal.any([ends, connection.signal]),
				timeoutMs: Infinity
			}
		});
		if (!sent.ok) return judge(sent.error);
		const { response, signal } = sent;
		const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
		if (response.status !== 200 || isStream !== true || response.body === null) {
			const answer = await readAnswer(response, {
				signal,
				maxBytes: 65536
			});
			if (!answer.ok) return judge(answer.error);
			const { status } = response;
			return {
				kind: "over",
				error: {
					kind: "malformed",
					message: "The answer is no event stream: this is not a hub.",
					status
				}
			};
		}
		return yield* readEvents(response.body, {
			filter,
			silence,
			signal
		});
	} finally {
		silence.end();
		connection.abort();
	}
}
async function* readEvents(body, { filter, silence, signal }) {
	const reader = body.getReader();
	const parser = new EventStreamParser();
	for (;;) {
		let texts;
		try {
			const { done, value } = await reader.read();
			if (done) return {
				kind: "dropped",
				error: {
					kind: "unreachable",
					message: "The hub closed the stream before the start was over."
				}
			};
			silence.restart();
			texts = parser.push(value);
		} catch (error) {
			if (error instanceof EventStreamError) return notAnEvent(error.message);
			return judge(describeFailure(error, signal));
		}
		for (const text of texts) {
			const event = toServerEvent(text);
			if (event === void 0) return notAnEvent("an event is not what the API describes");
			if (event.kind !== "progress") {
				yield event;
				return { kind: "done" };
			}
			if (!filter.hasHad(text)) yield event;
		}
	}
}
function judge(error) {
	if (error.kind === "unreachable" || error.kind === "timeout") return {
		kind: "dropped",
		error
	};
	if (error.kind === "refused" && (error.status === 429 || error.status >= 500)) {
		const { retryAfterMs } = error;
		return {
			kind: "dropped",
			error,
			...retryAfterMs !== void 0 && { retryAfterMs }
		};
	}
	return {
		kind: "over",
		error
	};
}
function notAnEvent(what) {
	return {
		kind: "over",
		error: {
			kind: "malformed",
			message: `In the stream ${what}.`,
			status: 200
		}
	};
}
function toServerEvent(text) {
	const event = parseObject(text);
	if (typeof event?.message !== "string") return void 0;
	const { message, url, html_message: html } = event;
	const htmlMessage = typeof html === "string" ? html : void 0;
	if (event.ready === true) return {
		kind: "ready",
		message,
		url: typeof url === "string" ? url : ""
	};
	if (event.failed === true) return {
		kind: "failed",
		message,
		htmlMessage
	};
	return {
		kind: "progress",
		progress: typeof event.progress === "number" ? event.progress : void 0,
		message,
		htmlMessage
	};
}
function parseObject(text) {
	try {
		const value = JSON.parse(text);
		return typeof value === "object" && value !== null ? value : void 0;
	} catch {
		return;
	}
}
function progressOf({ server = "" }) {
	return server === "" ? "followDefaultServerProgress" : "followServerProgress";
}
var Silence = class {
	#connection;
	#afterMs;
	#timer;
	constructor(connection, afterMs) {
		this.#connection = connection;
		this.#afterMs = afterMs;
		this.#timer = this.#start();
	}
	restart() {
		clearTimeout(this.#timer);
		this.#timer = this.#start();
	}
	end() {
		clearTimeout(this.#timer);
	}
	#start() {
		const reason = new DOMException("nothing arrived", "TimeoutError");
		return setTimeout(() => this.#connection.abort(reason), this.#afterMs);
	}
};
function pause(ms, signal) {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		const finish = () => {
			clearTimeout(timer);
			signal.removeEventListener("abort", finish);
			resolve();
		};
		const timer = setTimeout(finish, Math.min(ms, maxPauseMs));
		signal.addEventListener("abort", finish, { once: true });
	});
}
// packages/client/src/resources/servers.ts
const stopPollMs = 500;
const defaultStopTimeoutMs = 3e5;
function createServersResource(call, transport) {
	const get = (server, options) => call(isDefault(server) ? "getDefaultServer" : "getServer", { params: byName(server) }, options);
	const start = async (server, body = {}, options) => {
		const result = await call(isDefault(server) ? "startDefaultServer" : "startServer", {
			params: byName(server),
			body
		}, options);
		if (!result.ok) return result;
		return succeed(result.status === 201 ? "ready" : "starting", result.status);
	};
	const stop = async (server, { remove, ...options } = {}) => {
		const id = isDefault(server) ? "stopDefaultServer" : "stopServer";
		const body = remove === true ? { remove } : void 0;
		const result = await call(id, {
			params: byName(server),
			body
		}, options);
		if (!result.ok) return result;
		return succeed(result.status === 204 ? "stopped" : "stopping", result.status);
	};
	const progress = (server, options) => followProgress(transport, server, options);
	const startAndWait = async (server, options = {}) => {
		const { body, onEvent, ...following } = options;
		const { signal } = following;
		const started = await start(server, body, { signal });
		if (!started.ok) return isRunning(started.error) ? readyOr(started, server, { signal }) : started;
		if (started.value === "ready") return get(server, { signal });
		for await (const event of progress(server, following)) {
			onEvent?.(event);
			if (event.kind === "ready") return get(server, { signal });
			if (event.kind === "failed") return fail({
				kind: "spawn_failed",
				message: event.message
			});
			if (event.kind === "lost") return fail(event.error);
		}
		return fail({
			kind: "aborted",
			message: "The start was not followed to its end."
		});
	};
	const readyOr = async (refusal, server, options) => {
		const found = await get(server, options);
		return found.ok && found.value.ready ? found : refusal;
	};
	const stopAndWait = async (server, { timeoutMs = defaultStopTimeoutMs, signal, remove } = {}) => {
		const outer = [transport.options.signal, signal].filter((each) => each !== void 0);
		const ends = AbortSignal.any([...outer, AbortSignal.timeout(timeoutMs)]);
		const stopped = await stop(server, {
			signal: ends,
			remove
		});
		if (!stopped.ok) return stopped;
		for (let isDone = stopped.value === "stopped"; !isDone;) {
			await pause(stopPollMs, ends);
			if (ends.aborted) return fail(describeFailure(void 0, ends));
			const found = await get(server, { signal: ends });
			const isGone = !found.ok && found.error.kind === "refused" && found.error.status === 404;
			if (!found.ok && !isGone) return found;
			isDone = isGone || found.ok && found.value.stopped && remove !== true;
		}
		return succeed("stopped", 204);
	};
	return {
		get,
		create: (server, body = {}, options) => call(isDefault(server) ? "createDefaultServer" : "createServer", {
			params: byName(server),
			body
		}, options),
		start,
		startAndWait,
		stop,
		stopAndWait,
		remove: (server, options) => stop(server, {
			...options,
			remove: true
		}),
		edit: (server, body, options) => call(isDefault(server) ? "updateDefaultServer" : "updateServer", {
			params: byName(server),
			body
		}, options),
		progress
	};
}
function isDefault({ server = "" }) {
	return server === "";
}
function isRunning(error) {
	return error.kind === "refused" && error.status === 400;
}
// packages/client/src/resources/services.ts
function createServicesResource(call) {
	return {
		list: (options) => call("listServices", {}, options),
		get: (name, options) => call("getService", { params: { name } }, options),
		create: (name, body, options) => call("createService", {
			params: { name },
			body
		}, options),
		remove: (name, options) => call("deleteService", { params: { name } }, options)
	};
}
// packages/client/src/resources/shares.ts
function createSharesResource(call) {
	const list = (from, query = {}, options) => {
		const { user: name, server } = from;
		const accept = {
			...options,
			accept: paginationType
		};
		return server === void 0 ? inPages(call("listSharesOfOwner", {
			params: { name },
			query
		}, accept)) : inPages(call("listShares", {
			params: pathOf(from),
			query
		}, accept));
	};
	return {
		list,
		pages: (from, query = {}, options) => eachPage((offset) => list(from, {
			...query,
			offset
		}, options), query.offset),
		grant: (server, { scopes, ...recipient }, options) => call("share", {
			params: pathOf(server),
			body: {
				...recipient,
				scopes
			}
		}, options),
		revoke: async (server, { scopes, ...recipient }, options) => {
			const body = {
				...recipient,
				scopes
			};
			const result = await call("revokeShare", {
				params: pathOf(server),
				body
			}, options);
			if (!result.ok) return result;
			return succeed("scopes" in result.value ? result.value : void 0, result.status);
		},
		revokeAll: (server, options) => call("revokeShares", { params: pathOf(server) }, options),
		listWithUser: (name, query = {}, options) => inPages(call("listSharesWithUser", {
			params: { name },
			query
		}, {
			...options,
			accept: paginationType
		})),
		listWithGroup: (name, query = {}, options) => inPages(call("listSharesWithGroup", {
			params: { name },
			query
		}, {
			...options,
			accept: paginationType
		})),
		leave: ({ user, group }, server, options) => {
			const params = {
				name: user ?? group,
				owner: server.user,
				server_name: server.server ?? ""
			};
			return call(user === void 0 ? "leaveShareWithGroup" : "leaveShareWithUser", { params }, options);
		},
		listCodes: (from, query = {}, options) => {
			const { user: name, server } = from;
			const accept = {
				...options,
				accept: paginationType
			};
			return server === void 0 ? inPages(call("listShareCodesOfOwner", {
				params: { name },
				query
			}, accept)) : inPages(call("listShareCodes", {
				params: pathOf(from),
				query
			}, accept));
		},
		createCode: (server, { scopes, lifetimeMs } = {}, options) => {
			const expires_in = lifetimeMs === void 0 ? void 0 : Math.round(lifetimeMs / 1e3);
			return call("createShareCode", {
				params: pathOf(server),
				body: {
					scopes,
					expires_in
				}
			}, options);
		},
		deleteCode: (server, id, options) => call("deleteShareCodes", {
			params: pathOf(server),
			query: { id }
		}, options),
		deleteAllCodes: (server, options) => call("deleteShareCodes", { params: pathOf(server) }, options)
	};
}
async function inPages(result) {
	const answer = await result;
	if (!answer.ok) return answer;
	const envelope = answer.value;
	return succeed(toPage(envelope), answer.status);
}
function pathOf({ user, server = "" }) {
	return {
		name: user,
		server_name: server
	};
}
// packages/client/src/resources/tokens.ts
function createTokensResource(call) {
	return {
		list: async (user, options) => {
			const result = await call("listTokens", { params: { name: user } }, options);
			return result.ok ? succeed(result.value.api_tokens, result.status) : result;
		},
		get: (user, id, options) => call("getToken", { params: {
			name: user,
			token_id: id
		} }, options),
		create: (user, token = {}, options) => {
			const { note, lifetimeMs, scopes } = token;
			const expires_in = lifetimeMs === void 0 ? void 0 : Math.max(1, Math.round(lifetimeMs / 1e3));
			return call("createToken", {
				params: { name: user },
				body: {
					note,
					scopes,
					expires_in
				}
			}, options);
		},
		revoke: (user, id, options) => call("deleteToken", { params: {
			name: user,
			token_id: id
		} }, options)
	};
}
// packages/client/src/resources/users.ts
function createUsersResource(call) {
	const list = async (query = {}, options) => {
		const result = await call("listUsers", { query: toWire(query) }, {
			...options,
			accept: paginationType
		});
		return result.ok ? succeed(toPage(inEnvelope(result.value)), result.status) : result;
	};
	return {
		list,
		pages: (query = {}, options) => eachPage((offset) => list({
			...query,
			offset
		}, options), query.offset),
		get: (name, { includeStoppedServers, ...options } = {}) => call("getUser", {
			params: { name },
			query: stopped(includeStoppedServers)
		}, options),
		create: (name, body = {}, options) => call("createUser", {
			params: { name },
			body
		}, options),
		createMany: (usernames, body = {}, options) => call("createUsers", { body: {
			...body,
			usernames
		} }, options),
		update: (name, body, options) => call("updateUser", {
			params: { name },
			body
		}, options),
		remove: (name, options) => call("deleteUser", { params: { name } }, options),
		reportActivity: (name, body, options) => call("reportActivity", {
			params: { name },
			body
		}, options)
	};
}
function toWire(query) {
	const { offset, limit, state, nameFilter, sort, includeStoppedServers } = query;
	return {
		offset,
		limit,
		state,
		name_filter: nameFilter,
		sort,
		...stopped(includeStoppedServers)
	};
}
function stopped(include) {
	return include === void 0 ? {} : { include_stopped_servers: include };
}
function inEnvelope(answer) {
	if ("_pagination" in answer) return answer;
	const { length } = answer;
	return {
		items: answer,
		_pagination: {
			offset: 0,
			limit: length,
			total: length,
			next: null
		}
	};
}
// packages/client/src/client.ts
function createClient(options) {
	const transport = createTransport(options);
	const call = createCall(transport);
	return {
		call,
		hub: createHubResource(call),
		users: createUsersResource(call),
		servers: createServersResource(call, transport),
		tokens: createTokensResource(call),
		groups: createGroupsResource(call),
		services: createServicesResource(call),
		shares: createSharesResource(call),
		roles: createRolesResource(call),
		routes: createRoutesResource(call)
	};
}
export { EventStreamError, EventStreamParser, HubRequestError, createClient, unwrap };
