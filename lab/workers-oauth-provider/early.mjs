// The same for releases from before the library kept the consent itself: only for the table of advisories.
// The page keeps the request; the form carries no more than a number that is good once, in one session.
import { OAuthProvider } from '@cloudflare/workers-oauth-provider';
import { escaped, login, namespace, page, session, toLogin } from './surroundings.mjs';

const asked = new Map();

const authorize = async (request, oauth) => {
  const url = new URL(request.url);
  if (request.method === 'POST') {
    const form = await request.formData();
    const handle = String(form.get('handle') ?? '');
    const pending = asked.get(handle);
    if (!pending || pending.session !== session(request)) return page(403, '<p>This page is out of date.</p>');
    asked.delete(handle);
    if (form.get('decision') !== 'approve') return page(200, '<p>Nothing was granted.</p>');
    const { redirectTo } = await oauth.completeAuthorization({
      request: pending.parsed, scope: pending.parsed.scope, userId: 'alice', metadata: {}, props: { userId: 'alice' },
    });
    return new Response(null, { status: 303, headers: { location: redirectTo } });
  }
  let parsed;
  try {
    parsed = await oauth.parseAuthRequest(request);
  } catch (error) {
    return page(400, `<p>${escaped(error.message)}</p>`);
  }
  const client = await oauth.lookupClient(parsed.clientId);
  if (!client) return page(400, '<p>No such client.</p>');
  if (!session(request)) return toLogin(url);
  const handle = crypto.randomUUID();
  asked.set(handle, { parsed, session: session(request) });
  return page(200, `<title>Consent</title><h1>${escaped(client.clientName ?? client.clientId)}</h1>
<p>registered itself and is not verified. You will be sent to <b>${escaped(parsed.redirectUri)}</b>.</p>
<p>It asks for: ${escaped(parsed.scope.join(' ') || 'nothing')}.</p>
<form method="post"><input type="hidden" name="handle" value="${handle}">
<button name="decision" value="approve">Approve</button> <button name="decision" value="deny">Deny</button></form>`);
};

const kv = namespace();
const provider = new OAuthProvider({
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
  scopesSupported: ['mcp:read', 'mcp:write'],
});

export default {
  fetch: (request, env, ctx) => provider.fetch(request, { ...env, OAUTH_KV: kv }, ctx),
};
