// The authorization router of the official MCP TypeScript SDK over the smallest provider that completes a flow.
// usage: node serve.mjs PORT [limits]
//
// The SDK judges registrations, authorization and token requests. What it leaves to its user stands here: storage, the
// login of one user (alice, alice-pass), a consent page, and what becomes of codes and tokens. The SDK's rate limits are
// switched off: its twenty registrations an hour would end a run before it began. With `limits` the one on registration
// is the SDK's own, its window shortened from an hour to two seconds.
import { randomBytes } from 'node:crypto';
import express from 'express';
import { mcpAuthRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { InvalidGrantError, InvalidScopeError, InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';

const port = Number(process.argv[2]);
const limited = process.argv.includes('limits');
const issuer = `http://127.0.0.1:${port}`;
const users = { alice: 'alice-pass' };
const scopes = ['mcp:tools', 'mcp:admin'];
const codeLifetimeS = 300;
const tokenLifetimeS = 3600;
const now = () => Math.floor(Date.now() / 1000);
const fresh = () => randomBytes(24).toString('base64url');

class Provider {
  clients = new Map();
  pending = new Map();
  codes = new Map();
  access = new Map();
  refresh = new Map();

  clientsStore = {
    getClient: async (id) => this.clients.get(id),
    registerClient: async (client) => {
      this.clients.set(client.client_id, client);
      return client;
    },
  };

  async authorize(client, params, res) {
    const allowed = client.scope ? client.scope.split(' ') : scopes;
    const asked = params.scopes?.filter(Boolean) ?? [];
    if (!asked.every((scope) => allowed.includes(scope) && scopes.includes(scope))) {
      throw new InvalidScopeError('A scope is unknown, or the client did not register it');
    }
    const transaction = fresh();
    this.pending.set(transaction, { client, params: { ...params, scopes: asked } });
    res.redirect(303, `/login?transaction=${transaction}`);
  }

  decide(transaction, approved) {
    const { client, params } = this.pending.get(transaction);
    this.pending.delete(transaction);
    const goal = new URL(params.redirectUri);
    if (approved) {
      const code = fresh();
      this.codes.set(code, { clientId: client.client_id, params, expires: now() + codeLifetimeS });
      goal.searchParams.set('code', code);
    } else {
      goal.searchParams.set('error', 'access_denied');
    }
    if (params.state !== undefined) goal.searchParams.set('state', params.state);
    return goal.href;
  }

  code(client, code) {
    const found = this.codes.get(code);
    if (found === undefined || found.clientId !== client.client_id || found.expires < now()) {
      throw new InvalidGrantError('The code is unknown, expired or another client\'s');
    }
    return found;
  }

  async challengeForAuthorizationCode(client, code) {
    return this.code(client, code).params.codeChallenge;
  }

  async exchangeAuthorizationCode(client, code, _verifier, redirectUri, resource) {
    const found = this.code(client, code);
    if (found.grant !== undefined) {
      this.end(found.grant);
      throw new InvalidGrantError('The code was redeemed before');
    }
    const { params } = found;
    if (redirectUri !== undefined && redirectUri !== params.redirectUri) {
      throw new InvalidGrantError('The code was issued for another redirect_uri');
    }
    if (resource !== undefined && resource.href !== params.resource?.href) {
      throw new InvalidGrantError('The code was issued for another resource');
    }
    found.grant = fresh();
    return this.issue(client.client_id, found.grant, params.scopes, params.resource);
  }

  async exchangeRefreshToken(client, token, asked, resource) {
    const found = this.refresh.get(token);
    if (found === undefined || found.clientId !== client.client_id) {
      throw new InvalidGrantError('The refresh token is unknown or another client\'s');
    }
    if (found.spent) {
      this.end(found.grant);
      throw new InvalidGrantError('The refresh token was used before');
    }
    if (asked && !asked.every((scope) => found.scopes.includes(scope))) {
      throw new InvalidScopeError('The scope is wider than what was granted');
    }
    if (resource !== undefined && resource.href !== found.resource?.href) {
      throw new InvalidGrantError('The refresh token was issued for another resource');
    }
    found.spent = true;
    return this.issue(client.client_id, found.grant, asked ?? found.scopes, found.resource);
  }

  async verifyAccessToken(token) {
    const found = this.access.get(token);
    if (found === undefined) throw new InvalidTokenError('The token is unknown');
    return { token, ...found };
  }

  async revokeToken(client, { token }) {
    const found = this.refresh.get(token) ?? this.access.get(token);
    if (found?.clientId === client.client_id) this.end(found.grant);
  }

  issue(clientId, grant, granted, resource) {
    const [access, refresh] = [fresh(), fresh()];
    this.access.set(access, { clientId, grant, scopes: granted, resource, expiresAt: now() + tokenLifetimeS });
    this.refresh.set(refresh, { clientId, grant, scopes: granted, resource, spent: false });
    return {
      access_token: access, token_type: 'Bearer', expires_in: tokenLifetimeS, refresh_token: refresh,
      scope: granted.join(' '),
    };
  }

  end(grant) {
    for (const tokens of [this.access, this.refresh]) {
      for (const [token, found] of tokens) if (found.grant === grant) tokens.delete(token);
    }
  }
}

const provider = new Provider();
const sessions = new Map();

const escape = (value) => String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function page(res, status, body) {
  res.status(status).set({
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer', 'cache-control': 'no-store',
  }).type('html').send(`<!doctype html><title>Lab</title>${body}`);
}

const loginPage = (transaction) => `<form method=post action=/login>
<input type=hidden name=transaction value="${escape(transaction)}"><input name=username>
<input type=password name=password><button>Sign in</button></form>`;

function consentPage(session, transaction) {
  const { client, params } = provider.pending.get(transaction);
  const named = { Website: client.client_uri, Terms: client.tos_uri, Privacy: client.policy_uri };
  const links = Object.entries(named).filter(([, uri]) => uri?.startsWith('https://')).map(([label, uri]) => (
    `<a href="${escape(uri)}" rel="noreferrer nofollow">${label} ${escape(uri)}</a>`));
  const csrf = fresh();
  session.csrf.set(transaction, csrf);
  return `<h1>${escape(client.client_name ?? client.client_id)}</h1>
<p>registered itself and is not verified. It asks for: ${escape(params.scopes.join(' ') || 'nothing')}.</p>
<p>You will be sent to <b>${escape(new URL(params.redirectUri).host || params.redirectUri)}</b>. ${links.join(' ')}</p>
<form method=post action=/consent><input type=hidden name=transaction value="${escape(transaction)}">
<input type=hidden name=csrf value="${csrf}"><button name=decision value=approve>Approve</button>
<button name=decision value=deny>Deny</button></form>`;
}

function sessionOf(req) {
  const cookie = /(?:^|; *)session=([\w-]+)/.exec(req.headers.cookie ?? '');
  return cookie ? sessions.get(cookie[1]) : undefined;
}

const app = express();
app.disable('x-powered-by');
const unlimited = { rateLimit: false };
app.use(mcpAuthRouter({
  provider, issuerUrl: new URL(issuer), scopesSupported: scopes, authorizationOptions: unlimited,
  tokenOptions: unlimited, revocationOptions: unlimited,
  clientRegistrationOptions: limited ? { rateLimit: { windowMs: 2000 } } : unlimited,
}));

const form = express.urlencoded({ extended: false });
app.get('/login', (req, res) => {
  const transaction = String(req.query.transaction);
  const session = sessionOf(req);
  if (!provider.pending.has(transaction)) return page(res, 400, 'unknown transaction');
  return page(res, 200, session ? consentPage(session, transaction) : loginPage(transaction));
});
app.post('/login', form, (req, res) => {
  const { transaction, username, password } = req.body ?? {};
  if (!provider.pending.has(transaction)) return page(res, 400, 'unknown transaction');
  if (!Object.hasOwn(users, username) || users[username] !== password) return page(res, 401, loginPage(transaction));
  const name = fresh();
  sessions.set(name, { csrf: new Map() });
  res.cookie('session', name, { httpOnly: true, sameSite: 'lax', path: '/' });
  return page(res, 200, consentPage(sessions.get(name), transaction));
});
app.post('/consent', form, (req, res) => {
  const { transaction, csrf, decision } = req.body ?? {};
  const session = sessionOf(req);
  const expected = session?.csrf.get(transaction);
  if (!provider.pending.has(transaction) || !expected || expected !== csrf) {
    return page(res, 403, 'this page is out of date');
  }
  session.csrf.delete(transaction);
  res.set({ 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' });
  return res.redirect(303, provider.decide(transaction, decision === 'approve'));
});

app.listen(port, '127.0.0.1');
