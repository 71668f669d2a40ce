import { Agent, request } from "node:http";

/** Posts of one body, over and over. */
export interface HttpLoad {
  readonly port: number;
  readonly path: string;
  /** As base64. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Each on a connection of its own. */
  readonly inFlight: number;
  readonly durationMs: number;
}

/** Posts as fast as the server answers. Throws if one fails. */
export async function rate({ inFlight, durationMs, ...load }: HttpLoad) {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const body = Buffer.from(load.body, "base64");
  const beginMs = performance.now();
  let calls = 0;
  const callers = Array.from({ length: inFlight }, async () => {
    while (performance.now() - beginMs < durationMs) {
      await post(load, body, agent);
      calls++;
    }
  });
  await Promise.all(callers);
  agent.destroy();
  return { calls };
}

function post({ port, path, headers }: Omit<HttpLoad, "inFlight" | "durationMs">, body: Buffer, agent: Agent) {
  return new Promise<void>((resolve, reject) => {
    const options = { port, path, method: "POST", headers: { ...headers, "content-length": body.length }, agent };
    const posted = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) return resolve();
        reject(new Error(`status ${response.statusCode}: ${Buffer.concat(chunks).toString().slice(0, 200)}`));
      });
    });
    posted.on("error", reject).end(body);
  });
}
