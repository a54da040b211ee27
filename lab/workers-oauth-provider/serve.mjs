// Runs one of the workers of this folder on workerd, bound to loopback, with nothing that it could fetch.
// usage: node serve.mjs PORT WORKER
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buildSync } from 'esbuild';

const [port, worker] = process.argv.slice(2);
const entry = new URL(`${worker}.mjs`, import.meta.url).pathname;

buildSync({
  entryPoints: [entry], bundle: true, format: 'esm', target: 'es2022', external: ['cloudflare:workers', 'node:*'],
  outfile: 'worker.mjs', logLevel: 'warning',
});
// "nowhere" allows one address that is reserved for documentation (RFC 5737), and so none
writeFileSync('config.capnp', `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "nowhere", network = (allow = ["192.0.2.1/32"]))],
  sockets = [(name = "http", address = "127.0.0.1:${Number(port)}", http = (), service = "main")]
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.mjs")],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ["nodejs_compat", "global_fetch_strictly_public"],
  globalOutbound = "nowhere"
);
`);

const require = createRequire(import.meta.url);
const program = require.resolve(`@cloudflare/workerd-linux-${process.arch === 'arm64' ? 'arm64' : '64'}/bin/workerd`);
const child = spawn(program, ['serve', 'config.capnp'], { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));
