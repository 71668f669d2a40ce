/**
 * Calls back once the process that started this one by IPC is gone, also where it went before this was asked; never where there is no
 * channel to it.
 */
export function whenOrphaned(host: NodeJS.Process, callback: () => void): void {
  if (host.send !== undefined && !host.connected) callback();
  else host.once("disconnect", callback);
}
