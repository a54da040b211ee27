// FastMCP for TypeScript on loopback: its OAuth proxy registers clients of its own and asks for consent.
// usage: node serve.mjs PORT UPSTREAM-PORT
//
// The proxy stands before an upstream authorization server that knows one client, the proxy. That one stands here: the
// login of one user (alice, alice-pass), codes bound to their challenge, and tokens.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { FastMCP } from 'fastmcp';
import { OAuthProxy } from 'fastmcp/auth';

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number);
const issuer = `http://127.0.0.1:${port}`;
const upstream = `http://127.0.0.1:${upstreamPort}`;
const known = { id: 'the-proxy', secret: 'known-to-both', callback: `${issuer}/oauth/callback` };
const users = { alice: 'alice-pass' };
const fresh = () => randomBytes(24).toString('base64url');

// -- the upstream authorization server

const pending = new Map();
const sessions = new Set();
const codes = new Map();

function page(res, status, body) {
  res.writeHead(status, {
    'content-type': 'text/html', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store',
  }).end(`<!doctype html><title>Lab</title>${body}`);
}

function json(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

function complete(res, transaction, headers = {}) {
  const request = pending.get(transaction);
  pending.delete(transaction);
  const code = fresh();
  codes.set(code, request.get('code_challenge'));
  const goal = new URL(known.callback);
  goal.searchParams.set('code', code);
  goal.searchParams.set('state', request.get('state'));
  res.writeHead(303, { location: goal.href, ...headers }).end();
}

async function form(req) {
  let body = '';
  for await (const chunk of req) body += chunk;
  return new URLSearchParams(body);
}

async function serveUpstream(req, res) {
  const url = new URL(req.url, upstream);
  if (req.method === 'GET' && url.pathname === '/authorize') {
    if (url.searchParams.get('client_id') !== known.id || url.searchParams.get('redirect_uri') !== known.callback) {
      return page(res, 400, 'unknown client');
    }
    const transaction = fresh();
    pending.set(transaction, url.searchParams);
    const cookie = /(?:^|; *)upstream=([\w-]+)/.exec(req.headers.cookie ?? '');
    if (cookie && sessions.has(cookie[1])) return complete(res, transaction);
    return page(res, 200, `<form method=post action=/login><input type=hidden name=transaction value="${transaction}">
<input name=username><input type=password name=password><button>Sign in</button></form>`);
  }
  if (req.method === 'POST' && url.pathname === '/login') {
    const fields = await form(req);
    const [transaction, username] = [fields.get('transaction'), fields.get('username')];
    if (!pending.has(transaction)) return page(res, 400, 'unknown transaction');
    if (!Object.hasOwn(users, username) || users[username] !== fields.get('password')) {
      return page(res, 401, 'wrong password');
    }
    const session = fresh();
    sessions.add(session);
    return complete(res, transaction, { 'set-cookie': `upstream=${session}; HttpOnly; SameSite=Lax; Path=/` });
  }
  if (req.method === 'POST' && url.pathname === '/token') {
    const fields = await form(req);
    if (fields.get('client_id') !== known.id || fields.get('client_secret') !== known.secret) {
      return json(res, 401, { error: 'invalid_client' });
    }
    if (fields.get('grant_type') === 'authorization_code') {
      const challenge = codes.get(fields.get('code'));
      codes.delete(fields.get('code'));
      const derived = createHash('sha256').update(fields.get('code_verifier') ?? '').digest('base64url');
      if (challenge === undefined || challenge !== derived) return json(res, 400, { error: 'invalid_grant' });
    } else if (fields.get('grant_type') !== 'refresh_token') {
      return json(res, 400, { error: 'unsupported_grant_type' });
    }
    return json(res, 200, {
      access_token: fresh(), refresh_token: fresh(), token_type: 'Bearer', expires_in: 3600, scope: 'mcp:tools',
    });
  }
  return page(res, 404, 'not found');
}

createServer((req, res) => serveUpstream(req, res).catch((error) => {
  console.error(error);
  if (!res.headersSent) res.writeHead(500);
  res.end();
})).listen(upstreamPort, '127.0.0.1');

// -- FastMCP

const proxy = new OAuthProxy({
  baseUrl: issuer,
  upstreamAuthorizationEndpoint: `${upstream}/authorize`,
  upstreamTokenEndpoint: `${upstream}/token`,
  upstreamClientId: known.id,
  upstreamClientSecret: known.secret,
  upstreamTokenEndpointAuthMethod: 'client_secret_post',
  scopes: ['mcp:tools'],
  allowedRedirectUriPatterns: ['https://client.example/*', 'http://localhost:*', 'http://127.0.0.1:*'],
});
const server = new FastMCP({
  name: 'lab', version: '1.0.0',
  oauth: { enabled: true, authorizationServer: proxy.getAuthorizationServerMetadata(), proxy },
});
await server.start({ transportType: 'httpStream', httpStream: { port, host: '127.0.0.1' } });
