import { buffer } from "node:stream/consumers";
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import sharp from "sharp";
import { type Headers, pack } from "tar-stream";

/** A file of an archive, or a link. */
export interface Packed extends Pick<Headers, "name" | "type" | "linkname"> {
  readonly bytes?: Buffer;
}

/** A ZIP archive; links are as Info-ZIP stores them. */
export function zipOf(files: readonly Packed[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, type, bytes = Buffer.alloc(0) } of files) {
    const [path, packed] = [Buffer.from(name), deflateRawSync(bytes)];
    const sizes = Buffer.alloc(26);
    sizes.writeUInt16LE(20, 0);
    sizes.writeUInt16LE(8, 4);
    sizes.writeUInt32LE(crc32(bytes), 10);
    sizes.writeUInt32LE(packed.length, 14);
    sizes.writeUInt32LE(bytes.length, 18);
    sizes.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), sizes, path, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((type === "symlink" ? 0o120777 : 0o100644) * 2 ** 16, 6);
    rest.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, 3]);
    centrals.push(Buffer.concat([Buffer.from("PK\x01\x02", "latin1"), madeBy, sizes, rest, path]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** A TAR archive. */
export async function tarOf(files: readonly Packed[]): Promise<Buffer> {
  const archive = pack();
  for (const { bytes = Buffer.alloc(0), ...header } of files) archive.entry(header, bytes);
  archive.finalize();
  return buffer(archive);
}

/** The same in gzip. */
export async function tarGzOf(files: readonly Packed[]): Promise<Buffer> {
  return gzipSync(await tarOf(files));
}

/** An image of one colour. */
export function image(format: "png" | "jpeg" | "gif", colour: string, width = 4, height = 4): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: colour } })
    .toFormat(format)
    .toBuffer();
}
