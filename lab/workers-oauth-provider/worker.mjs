// @cloudflare/workers-oauth-provider: an authorization server with one resource, dynamic registration switched on.
// The library keeps the consent (describeConsent, beginConsent, approveConsent, denyConsent); its page is the deployment's.
import { AuthorizationError, OAuthProvider } from '@cloudflare/workers-oauth-provider';
import { escaped, HEADERS, links, login, namespace, page, session, toLogin } from './surroundings.mjs';

const consentPage = (asked, client, handle) => `<title>Consent</title><h1>${escaped(asked.clientName)}</h1>
<p>registered itself and is not verified. You will be sent to <b>${escaped(asked.redirectHost)}</b>.
${asked.redirectIsLoopback ? 'That is an application on this computer.' : ''} ${links(client)}</p>
<form method="post"><input type="hidden" name="handle" value="${escaped(handle)}">
${asked.scope.map((scope) => `<label><input type="checkbox" name="scope" value="${escaped(scope)}" checked>
${escaped(scope)}</label>`).join(' ')}
<button name="decision" value="approve">Approve</button> <button name="decision" value="deny">Deny</button></form>`;

const moved = (headers, location) => {
  if (location) headers.set('location', location);
  return new Response(null, { status: 303, headers });
};

const authorize = async (request, oauth) => {
  const url = new URL(request.url);
  try {
    if (request.method === 'POST') {
      if (!session(request)) return page(401, '<p>Nobody is signed in.</p>');
      const form = await request.formData();
      const handle = String(form.get('handle') ?? '');
      if (form.get('decision') !== 'approve') return moved((await oauth.denyConsent(request, handle)).headers);
      const approved = await oauth.approveConsent(request, handle, { scope: form.getAll('scope').map(String) });
      const { redirectTo } = await oauth.completeAuthorization({
        request: approved.request, scope: approved.request.scope, userId: 'alice', metadata: {},
        props: { userId: 'alice' },
      });
      return moved(approved.headers, redirectTo);
    }
    const asked = await oauth.parseAuthRequest(request);
    if (!session(request)) return toLogin(url);
    const described = await oauth.describeConsent(asked);
    const client = await oauth.lookupClient(asked.clientId);
    const { headers, handle } = await oauth.beginConsent(asked);
    for (const [name, value] of Object.entries(HEADERS)) if (!headers.has(name)) headers.set(name, value);
    return page(200, consentPage(described, client, handle), headers);
  } catch (error) {
    if (!(error instanceof AuthorizationError)) throw error;
    return error.redirectTo ? Response.redirect(error.redirectTo, 302) : page(400, `<p>${escaped(error.description)}</p>`);
  }
};

const kv = namespace();
let provider;
const make = (origin) => new OAuthProvider({
  apiRoute: '/mcp',
  apiHandler: { fetch: async (request, env, ctx) => Response.json({ user: ctx.props.userId }) },
  defaultHandler: {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      if (pathname === '/login') return login(request);
      if (pathname === '/authorize') return authorize(request, env.OAUTH_PROVIDER);
      return page(404, '<p>Nothing is here.</p>');
    },
  },
  authorizeEndpoint: '/authorize',
  tokenEndpoint: '/oauth/token',
  clientRegistrationEndpoint: '/oauth/register',
  scopesSupported: ['mcp:read', 'mcp:write', 'offline_access'],
  requiredScopes: ['mcp:read'],
  resourceMetadata: { resource: `${origin}/mcp`, authorization_servers: [origin] },
});

export default {
  fetch(request, env, ctx) {
    provider ??= make(new URL(request.url).origin);
    return provider.fetch(request, { ...env, OAUTH_KV: kv }, ctx);
  },
};
