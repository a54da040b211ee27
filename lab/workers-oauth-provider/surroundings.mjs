// What a worker needs around the library: a KV namespace, the login of one user (alice, alice-pass), and pages.

export const namespace = () => {
  const rows = new Map();
  const live = (key) => {
    const row = rows.get(key);
    if (row?.expires && row.expires <= Date.now() / 1000) rows.delete(key);
    return rows.get(key);
  };
  const kv = {
    async get(key, as) {
      const row = live(key);
      if (row === undefined) return null;
      return (as?.type ?? as) === 'json' ? JSON.parse(row.value) : row.value;
    },
    async getWithMetadata(key, as) {
      return { value: await kv.get(key, as), metadata: live(key)?.metadata ?? null, cacheStatus: null };
    },
    async put(key, value, { expiration, expirationTtl, metadata } = {}) {
      const expires = expiration ?? (expirationTtl ? Date.now() / 1000 + expirationTtl : undefined);
      rows.set(key, { value: String(value), expires, metadata });
    },
    async delete(key) {
      rows.delete(key);
    },
    async list({ prefix = '', limit = 1000, cursor = '' } = {}) {
      const names = [...rows.keys()].filter((key) => key.startsWith(prefix) && key > cursor && live(key)).sort();
      const keys = names.slice(0, limit)
        .map((name) => ({ name, expiration: rows.get(name).expires, metadata: rows.get(name).metadata }));
      if (names.length <= limit) return { keys, list_complete: true, cacheStatus: null };
      return { keys, list_complete: false, cursor: keys.at(-1).name, cacheStatus: null };
    },
  };
  return kv;
};

export const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

export const HEADERS = {
  'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY', 'content-security-policy': "default-src 'none'; img-src https:; frame-ancestors 'none'",
};
export const page = (status, body, headers = HEADERS) => (
  new Response(`<!doctype html><meta charset="utf-8">${body}`, { status, headers }));

// what a client says about itself, as far as it lies on the web
export const links = (client) => {
  const onTheWeb = (url) => String(url).startsWith('https://');
  const shown = [client.clientUri, client.policyUri, client.tosUri].filter(onTheWeb)
    .map((url) => `<a href="${escaped(url)}" rel="noreferrer nofollow">${escaped(url)}</a>`);
  const logo = onTheWeb(client.logoUri) ? `<img src="${escaped(client.logoUri)}" alt="" referrerpolicy="no-referrer">` : '';
  return `${logo} ${shown.join(' ')}`;
};

const cookie = (request) => /(?:^|; )session=([^;]+)/.exec(request.headers.get('cookie') ?? '')?.[1];
const sessions = new Set();
export const session = (request) => (sessions.has(cookie(request)) ? cookie(request) : undefined);

export const login = async (request) => {
  const url = new URL(request.url);
  const form = request.method === 'POST' ? await request.formData() : url.searchParams;
  const query = String(form.get('query') ?? '');
  const right = form.get('username') === 'alice' && form.get('password') === 'alice-pass';
  if (request.method === 'POST' && right) {
    const name = crypto.randomUUID() + crypto.randomUUID();
    sessions.add(name);
    return new Response(null, {
      status: 303,
      headers: { location: `/authorize?${query}`, 'set-cookie': `session=${name}; Path=/; HttpOnly; SameSite=Lax` },
    });
  }
  return page(request.method === 'POST' ? 401 : 200, `<title>Sign in</title><form method="post" action="/login">
<input type="hidden" name="query" value="${escaped(query)}"><input name="username">
<input type="password" name="password"><button>Sign in</button></form>`);
};
export const toLogin = (url) => new Response(null, {
  status: 302, headers: { location: `/login?query=${encodeURIComponent(url.search.slice(1))}` },
});
