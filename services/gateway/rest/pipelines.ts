import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The requests of one connection that are not answered yet. */
interface Pipeline {
  open: number;
  /** Whether nothing more is read. */
  isHeld: boolean;
}

/**
 * Reads no more of a connection while so many of its requests are unanswered: they are answered in their order, so whoever sends thousands at
 * once gets the answers no sooner, and each would be held until then. What has come with the last of them is still looked at.
 */
export function boundPipelines(server: Server, openMax: number): void {
  const pipelines = new WeakMap<Socket, Pipeline>();
  server.on("connection", (socket) => pipelines.set(socket, { open: 0, isHeld: false }));
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const pipeline = pipelines.get(socket)!;
    const holdIfFull = () => {
      if (pipeline.open < openMax) return;
      pipeline.isHeld = true;
      socket.pause();
    };
    pipeline.open++;
    holdIfFull();
    // Whoever reads a body has the connection read on until there.
    request.once("end", holdIfFull);
    response.once("close", () => {
      pipeline.open--;
      if (!pipeline.isHeld || pipeline.open >= openMax) return;
      pipeline.isHeld = false;
      socket.resume();
    });
  });
}
