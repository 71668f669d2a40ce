import { connect } from "node:net";

/** Sends text as it is on a connection of its own, and reads the answer to the end of the connection. */
export async function sendRaw(url: string, text: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const headEnd = all.indexOf("\r\n\r\n");
  const [first = "", ...lines] = all.toString("latin1", 0, headEnd).split("\r\n");
  const bytes = all.subarray(headEnd + 4);
  return {
    status: Number(first.split(" ")[1]),
    headers: Object.fromEntries(lines.map((line) => line.split(": ", 2) as [string, string])) as Record<string, string>,
    bytes,
    body: bytes.toString(),
  };
}
