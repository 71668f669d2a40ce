import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as passed } from "node:timers/promises";
import type { Workplace } from "../harness/scenario.ts";

/** Starts nginx with one worker that passes gRPC to a port; undefined where it is not installed. It ends with the scenario. */
export async function startNginx(place: Workplace, nodePort: number) {
  const port = 20_000 + (process.pid % 10_000);
  const file = join(place.folder, "nginx.conf");
  await writeFile(file, configOf(place.folder, port, nodePort));
  const child = spawn("nginx", ["-c", file, "-p", place.folder, "-e", join(place.folder, "nginx.log")], {
    stdio: "ignore",
  });
  const failed = await Promise.race([once(child, "error").then(() => true), once(child, "spawn").then(() => false)]);
  if (failed) {
    place.tell("nginx is not installed: nothing is measured beside it");
    return undefined;
  }
  place.atEnd(async () => {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  });
  while (!(await answers(port))) await passed(20);
  const worker = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8");
  return { pid: Number(worker.trim().split(" ")[0]), port };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function configOf(folder: string, port: number, nodePort: number): string {
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream node { server 127.0.0.1:${nodePort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} http2;
    keepalive_requests 1000000000;
    location / { grpc_pass grpc://node; }
  }
}
`;
}
