// better-auth with its mcp plugin, the authorization server that releases before 1.7 brought, on loopback.
// usage: node serve.mjs PORT [limited]
// Dynamic registration is always on; the plugin asks for consent only where a client wants it to. The login page
// (alice, alice-pass) stands here.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { getAuthTables } from 'better-auth/db';
import { toNodeHandler } from 'better-auth/node';
import { mcp, oAuthDiscoveryMetadata } from 'better-auth/plugins';

const port = Number(process.argv[2]);
const origin = `http://127.0.0.1:${port}`;
const email = (user) => `${user}@client.example`;

const tables = {};
const auth = betterAuth({
  baseURL: origin,
  secret: randomBytes(32).toString('hex'),
  database: memoryAdapter(tables),
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: process.argv[3] === 'limited' },
  plugins: [mcp({ loginPage: '/login' })],
});
for (const [key, table] of Object.entries(getAuthTables(auth.options))) {
  tables[table.modelName] ??= [];
  tables[key] ??= tables[table.modelName];
}
await auth.api.signUpEmail({ body: { name: 'Alice', email: email('alice'), password: 'alice-pass' } });

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const loginForm = (query, status) => new Response(`<!doctype html><meta charset="utf-8"><title>Sign in</title>
<form method="post" action="/login"><input type="hidden" name="query" value="${escaped(query)}">
<input name="username"><input type="password" name="password"><button>Sign in</button></form>`, {
  status,
  headers: {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'x-frame-options': 'DENY',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  },
});

const login = async (request, url) => {
  if (request.method === 'GET') return loginForm(url.search.slice(1), 200);
  const form = await request.formData();
  const query = String(form.get('query') ?? '');
  const answer = await auth.handler(new Request(`${origin}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/json' },
    body: JSON.stringify({ email: email(form.get('username')), password: String(form.get('password') ?? '') }),
  }));
  if (!answer.ok) return loginForm(query, 401);
  const headers = new Headers({ location: `/api/auth/mcp/authorize?${query}` });
  for (const cookie of answer.headers.getSetCookie()) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
};

const routes = { '/.well-known/oauth-authorization-server': oAuthDiscoveryMetadata(auth), '/login': login };
const library = toNodeHandler(auth);

createServer(async (incoming, outgoing) => {
  try {
    const [path] = incoming.url.split('?');
    const route = routes[path];
    if (route === undefined) {
      // the limiter counts by X-Forwarded-For alone, which a proxy in front sets where the client did not
      incoming.headers['x-forwarded-for'] ??= incoming.socket.remoteAddress;
      if (path.startsWith('/api/auth')) return await library(incoming, outgoing);
      return outgoing.writeHead(404).end();
    }
    const parts = [];
    for await (const part of incoming) parts.push(part);
    const headers = new Headers();
    for (const [name, value] of Object.entries(incoming.headers)) headers.set(name, [value].flat().join(', '));
    const body = parts.length > 0 ? Buffer.concat(parts) : undefined;
    const url = new URL(incoming.url, origin);
    const answer = await route(new Request(url, { method: incoming.method, headers, body }), url);
    outgoing.setHeaders(answer.headers);
    outgoing.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    console.error(error);
    if (!outgoing.headersSent) outgoing.writeHead(500).end();
  }
}).listen(port, '127.0.0.1');
