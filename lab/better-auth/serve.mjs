// better-auth with its OAuth provider plugin on loopback, dynamic registration without authentication switched on.
// usage: node serve.mjs PORT [limited|resources]
// better-auth brings no pages; the login page (alice, alice-pass) and the consent page stand here and call its endpoints
// with the browser's own cookies.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { getAuthTables } from 'better-auth/db';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import {
  oauthProvider, oauthProviderAuthServerMetadata, oauthProviderOpenIdConfigMetadata,
} from '@better-auth/oauth-provider';

const port = Number(process.argv[2]);
const limited = process.argv[3] === 'limited';
const protects = process.argv[3] === 'resources';
const origin = `http://127.0.0.1:${port}`;
const secret = randomBytes(32).toString('hex');
const email = (user) => `${user}@client.example`;
const resources = [`${origin}/api`, 'https://foreign.example/api'];

// a data base changes a row a moment after it was asked to; in memory, requests would never meet on the way
const changes = ['update', 'updateMany', 'delete', 'deleteMany', 'consumeOne', 'incrementOne'];
const unhurried = (adapter) => (options) => {
  const inner = adapter(options);
  const later = changes.filter((name) => inner[name]).map((name) => [name, async (...words) => {
    await setTimeout(20);
    return inner[name](...words);
  }]);
  return { ...inner, ...Object.fromEntries(later) };
};

const tables = {};
const auth = betterAuth({
  baseURL: origin,
  secret,
  database: unhurried(memoryAdapter(tables)),
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  disabledPaths: ['/token'],
  rateLimit: { enabled: limited },
  plugins: [
    jwt(),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      scopes: ['openid', 'profile', 'email', 'offline_access', 'api:read'],
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      allowPublicClientPrelogin: true,
      // two resources: releases before 1.7 know them by the first name
      ...(protects ? { validAudiences: resources, resources, enforcePerClientResources: false } : {}),
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
});
for (const [key, table] of Object.entries(getAuthTables(auth.options))) {
  tables[table.modelName] ??= [];
  tables[key] ??= tables[table.modelName];
}
await auth.api.signUpEmail({ body: { name: 'Alice', email: email('alice'), password: 'alice-pass' } });

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const page = (status, body, headers = {}) => new Response(`<!doctype html><meta charset="utf-8">${body}`, {
  status,
  headers: {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY', ...headers,
    'content-security-policy': "default-src 'none'; img-src https:; frame-ancestors 'none'",
  },
});
const seal = (session, query) => createHmac('sha256', secret).update(`${session}\n${query}`).digest('hex');
const sealed = (session, query, given) => {
  const right = Buffer.from(seal(session, query));
  return given.length === right.length && timingSafeEqual(Buffer.from(given), right);
};

// an endpoint of better-auth, called for the browser whose request is at hand
const call = (request, path, body) => auth.handler(new Request(`${origin}/api/auth${path}`, {
  method: body ? 'POST' : 'GET',
  headers: {
    origin, accept: 'application/json', 'content-type': 'application/json',
    cookie: request.headers.get('cookie') ?? '',
  },
  body: body && JSON.stringify(body),
}));
const onwards = (answer, told) => {
  const headers = new Headers({ location: told.url ?? told.redirectURI, 'cache-control': 'no-store' });
  for (const cookie of answer.headers.getSetCookie()) headers.append('set-cookie', cookie);
  return new Response(null, { status: 303, headers });
};

const loginForm = (query, status = 200) => page(status, `<title>Sign in</title><form method="post" action="/login">
<input type="hidden" name="query" value="${escaped(query)}"><input name="username"><input type="password" name="password">
<button>Sign in</button></form>`);

const login = async (request, url) => {
  if (request.method === 'GET') return loginForm(url.search.slice(1));
  const form = await request.formData();
  const query = String(form.get('query') ?? '');
  const answer = await call(request, '/sign-in/email', {
    email: email(form.get('username')), password: String(form.get('password') ?? ''), oauth_query: query,
  });
  if (!answer.ok) return loginForm(query, 401);
  return onwards(answer, await answer.json());
};

const consent = async (request, url) => {
  const session = await auth.api.getSession({ headers: request.headers });
  if (!session) return page(401, '<p>Nobody is signed in.</p>');
  if (request.method === 'POST') {
    const form = await request.formData();
    const query = String(form.get('query') ?? '');
    if (!sealed(session.session.token, query, String(form.get('csrf') ?? ''))) {
      return page(403, '<p>This page is out of date.</p>');
    }
    const answer = await call(request, '/oauth2/consent', {
      accept: form.get('decision') === 'approve', oauth_query: query,
    });
    return answer.ok ? onwards(answer, await answer.json()) : page(400, '<p>The request is not valid any more.</p>');
  }
  const query = url.search.slice(1);
  const asked = new URLSearchParams(query);
  const known = await call(request, `/oauth2/public-client?client_id=${encodeURIComponent(asked.get('client_id'))}`);
  if (!known.ok) return page(400, '<p>No such client.</p>');
  const client = await known.json();
  const target = new URL(asked.get('redirect_uri') ?? 'about:blank');
  const onTheWeb = (name) => String(client[name]).startsWith('https://');
  const links = ['client_uri', 'policy_uri', 'tos_uri'].filter(onTheWeb)
    .map((name) => `<a href="${escaped(client[name])}" rel="noreferrer nofollow">${escaped(client[name])}</a>`);
  if (onTheWeb('logo_uri')) links.push(`<img src="${escaped(client.logo_uri)}" alt="" referrerpolicy="no-referrer">`);
  return page(200, `<title>Consent</title><h1>${escaped(client.client_name ?? asked.get('client_id'))}</h1>
<p>registered itself and is not verified. It asks for: ${escaped(asked.get('scope') ?? 'nothing')}.</p>
<p>You will be sent to <b>${escaped(target.host || target.href)}</b>. ${links.join(' ')}</p>
<form method="post" action="/consent"><input type="hidden" name="query" value="${escaped(query)}">
<input type="hidden" name="csrf" value="${seal(session.session.token, query)}">
<button name="decision" value="approve">Approve</button> <button name="decision" value="deny">Deny</button></form>`);
};

const routes = {
  '/.well-known/oauth-authorization-server/api/auth': oauthProviderAuthServerMetadata(auth),
  '/api/auth/.well-known/openid-configuration': oauthProviderOpenIdConfigMetadata(auth),
  '/login': login,
  '/consent': consent,
};
const library = toNodeHandler(auth);

createServer(async (incoming, outgoing) => {
  try {
    const [path] = incoming.url.split('?');
    const route = routes[path];
    if (route === undefined) {
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
