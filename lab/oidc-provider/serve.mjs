// oidc-provider on loopback with dynamic registration switched on.
// usage: node serve.mjs PORT [iat | management]
//
// Registration is open to everyone. With `iat` it needs an initial access token, which is handed over in the file
// $LAB_HANDOVER; with `management` clients are managed by RFC 7592, and their registration access tokens rotate.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider, { errors } from 'oidc-provider';

const port = Number(process.argv[2]);
const mode = process.argv[3];
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  cookies: { keys: ['the lab is not a secret'] },
  scopes: ['openid', 'offline_access', 'api:read'],
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
  responseTypes: ['code'],
  pkce: { required: () => true },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true, initialAccessToken: mode === 'iat' },
    registrationManagement: { enabled: mode === 'management', rotateRegistrationAccessToken: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => {
        if (!indicator.startsWith(issuer)) throw new errors.InvalidTarget();
        return { scope: 'api:read', audience: indicator, accessTokenFormat: 'jwt', accessTokenTTL: 600 };
      },
    },
  },
});
provider.on('server_error', (ctx, error) => console.error(error));

if (mode === 'iat') {
  const token = await new provider.InitialAccessToken({}).save();
  writeFileSync(process.env.LAB_HANDOVER, `DCRCHECK_INITIAL_ACCESS_TOKEN=${token}\n`, { mode: 0o600 });
}
createServer(provider.callback()).listen(port, '127.0.0.1');
