import type { Http2Session } from "node:http2";
import { StreamTable } from "../http2/stream-table.ts";

/** Gives a connection that has no streams yet a lighter table of them; does nothing where Node keeps none of this name. */
export function lightenStreams(session: Http2Session): void {
  const key = Object.getOwnPropertySymbols(session).find(({ description }) => description === "state");
  const state =
    key && (session as unknown as Record<symbol, { streams?: { readonly size?: number } } | undefined>)[key];
  if (state?.streams?.size === 0) state.streams = new StreamTable();
}
