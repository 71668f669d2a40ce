import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
// Makes protobufjs know descriptor.proto, which annotations import.
import "@grpc/proto-loader";
import protobuf from "protobufjs";

/** Where the contracts lie. */
export const contractFolder = fileURLToPath(new URL("protos/", import.meta.resolve("#package.json")));

/**
 * The declarations of `.proto` files and of all that they import, with their names as written and with their comments. `files` are
 * absolute or relative to `folder`.
 */
export function contractRoot(files: readonly string[], folder: string): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => (isAbsolute(target) || isBundled(target) ? target : `${folder}/${target}`);
  root.loadSync([...files], { keepCase: true, alternateCommentMode: true });
  root.resolveAll();
  return root;
}

/** What protobufjs carries inside instead of reading it from a folder. */
function isBundled(path: string): boolean {
  return path.startsWith("google/protobuf/");
}
