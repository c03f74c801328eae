// SPDX-License-Identifier: Apache-2.0
// nginx and HAProxy in front of lab/programs/server.ts on a real server. They take the client's address from the header of
// the PROXY protocol, and refuse connections without it.
import { isIPv6 } from 'node:net';
import type { Service } from '../programs/service.ts';
import type { ServiceDescription } from '../topology/description.ts';
import type { Host } from '../topology/host.ts';
import type { Program } from '../topology/program.ts';
import { scaled } from '../topology/time-scale.ts';

export const proxyPorts = {
  /** nginx: /who, /content and /digest as lab/programs/server.ts has them. */
  nginx: 8080,
  /** HAProxy: the same as nginx. */
  haproxy: 8081,
  /** HAProxy: what arrives is sent back. */
  echo: 8007,
  /** nginx: sends the client's address at once, without a request, and closes the connection. */
  greeting: 8025,
} as const;

/** On a bad link three losses in a row make the waits of TCP add up to some 20 s. */
const greetingSeconds = scaled(50_000) / 1000;

function nginxConfiguration(name: string): string {
  const { nginx, greeting } = proxyPorts;
  const who = `{"server":"${name}","client":"$proxy_protocol_addr","port":$proxy_protocol_port}`;
  return `
    load_module /usr/lib/nginx/modules/ngx_stream_module.so;
    daemon off;
    user root;
    error_log stderr notice;
    events { worker_connections 1024; }
    http {
      access_log off;
      client_max_body_size 0;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_http_version 1.1;
      server {
        listen ${nginx} proxy_protocol;
        listen [::]:${nginx} proxy_protocol;
        location = /who { return 200 '${who}\\n'; }
        location / { proxy_pass http://127.0.0.1; }
      }
    }
    stream {
      server {
        listen ${greeting} proxy_protocol;
        listen [::]:${greeting} proxy_protocol;
        return '${who}\\n';
      }
    }`;
}

function haproxyConfiguration(name: string): string {
  const { haproxy, echo } = proxyPorts;
  const who = `{\\"server\\":\\"${name}\\",\\"client\\":\\"%[src]\\",\\"port\\":%[src_port]}\\n`;
  return `
global
  maxconn 1024
  nbthread 1
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  mode http
  bind :::${haproxy} v4v6 accept-proxy
  http-request return status 200 content-type application/json lf-string "${who}" if { path /who }
  default_backend web
backend web
  mode http
  server web 127.0.0.1:80
listen echo
  mode tcp
  bind :::${echo} v4v6 accept-proxy
  server echo 127.0.0.1:7
`;
}

/**
 * `command` with the text as a file in its last argument; nginx does not read a pipe. The file's name is removed at once,
 * so that no file stays behind. nginx uses the same name for its pid file, which it removes when it ends.
 */
function configured(command: string, text: string): ServiceDescription['command'] {
  const script = `file=$(mktemp); printf %s "$1" >$file; exec 3<$file; rm $file; exec ${command} /dev/fd/3`;
  return ['bash', '-c', script, 'bash', text];
}

/** nginx and HAProxy, for a host that runs lab/programs/server.ts. */
export function proxyServers(name: string): ServiceDescription[] {
  return [
    {
      name: 'nginx',
      command: configured('nginx -g "pid $file;" -c', nginxConfiguration(name)),
      ready: { listens: `tcp:${proxyPorts.greeting}` },
    },
    {
      name: 'haproxy',
      command: configured('haproxy -db -f', haproxyConfiguration(name)),
      ready: { listens: `tcp:${proxyPorts.echo}` },
    },
  ];
}

/** A server's address with a port that differs from the service's. */
export function withPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Connects, sends nothing and reads the greeting, in which the server says which client it sees. */
export async function whoIsGreeted(client: Host, address: string, port: number): Promise<Service> {
  const script = 'exec 3<>/dev/tcp/$1/$2; cat <&3';
  const words = ['timeout', String(greetingSeconds), 'bash', '-c', script, 'bash', address, String(port)];
  return JSON.parse(await client.must(['env', ...words]));
}

/** Runs tshark, which prints a line for each PROXY header that arrives at the port: version, client and port. */
export function watchHeaders(host: Host, port: number): Promise<Program> {
  // Else tshark would dissect the port's traffic as HTTP first.
  const preferences = ['-o', 'tcp.try_heuristic_first:TRUE'];
  const fields = ['proxy.version', 'proxy.src.ipv4', 'proxy.src.ipv6', 'proxy.srcport'].flatMap(field => ['-e', field]);
  const shown = ['-Y', 'proxy', '-T', 'fields', '-E', 'separator=|', ...fields];
  return host.startService({
    name: 'headers',
    command: ['tshark', '-l', '-n', '-i', 'eth0', '-f', `tcp dst port ${port}`, ...preferences, ...shown],
    ready: { prints: 'Capturing on' },
  });
}
