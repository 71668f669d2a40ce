import { expect } from "chai";
import sharp from "sharp";
import type { ImagesFormat } from "../../services/trainer/datasets/formats/file-format.ts";
import { image, type Packed, tarGzOf, tarOf, zipOf } from "./archive-files.ts";
import { FormatFiles, tensorRows } from "./format-files.ts";

const format: ImagesFormat = { kind: "images", channels: 3, scaled: { width: 2, height: 2, fit: "fill" } };
const unscaled: ImagesFormat = { ...format, scaled: undefined };

describe("an archive of images", () => {
  const files = new FormatFiles();
  before(() => files.start());
  after(() => files.remove());

  const packers = { ZIP: zipOf, TAR: tarOf, "TAR in gzip": tarGzOf };
  for (const [name, packed] of Object.entries(packers)) {
    it(`may be ${name}; folders are classes in alphabetical order, and hidden files do not count`, async () => {
      const archive = await packed([
        { name: "set/dogs/", type: "directory" },
        { name: "set/dogs/1.png", bytes: await image("png", "#ff0000") },
        { name: "set/dogs/.DS_Store", bytes: Buffer.from("x") },
        { name: "__MACOSX/set/dogs/1.png", bytes: Buffer.from("x") },
        { name: "set/cats/2.JPG", bytes: await image("jpeg", "#ffffff", 8, 5) },
      ]);
      const tensors = await files.tensors(archive, format);
      expect(tensors).to.include({ rowCount: 2, featureType: "FP32", targetType: "INT32" });
      expect([tensors.classNames, tensors.featureShape, tensors.targetShape]).to.deep.equal([
        ["cats", "dogs"],
        [3, 2, 2],
        [],
      ]);
      expect(tensors.placeOf(1)).to.equal("set/cats/2.JPG");
      const rows = await tensorRows(tensors);
      expect(rows[0]).to.deep.equal({ features: [255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0], targets: [1] });
      expect(rows[1]).to.deep.equal({ features: Array(12).fill(255), targets: [0] });
    });
  }

  it("gives images in grey, of any kind of pixels, and without classes where there are no folders", async () => {
    const clear = sharp({
      create: { width: 3, height: 3, channels: 4, background: { r: 255, g: 255, b: 255, alpha: 0 } },
    });
    const bright = sharp(Buffer.alloc(16).fill(255), { raw: { width: 4, height: 4, channels: 1 } }).toColourspace(
      "grey16",
    );
    const archive = zipOf([
      { name: "clear.png", bytes: await clear.png().toBuffer() },
      { name: "bright.png", bytes: await bright.png().toBuffer() },
    ]);
    const tensors = await files.tensors(archive, { ...format, channels: 1 });
    expect([tensors.targetShape, tensors.classNames]).to.deep.equal([undefined, undefined]);
    expect((await tensorRows(tensors)).map(({ features }) => features)).to.deep.equal([
      Array(4).fill(0),
      Array(4).fill(255),
    ]);
  });

  for (const [fit, column, line] of [
    ["fill", [1, 1, 1, 1], [1, 0, 0, 0]],
    ["cover", [0, 0, 0, 0], [0, 0, 0, 0]],
    ["contain", [0, 1, 1, 0], [1, 0, 0, 0]],
  ] as const) {
    it(`has images of other proportions made fit: ${fit}`, async () => {
      // A quarter at the left is red and the rest black.
      const red = await image("png", "#ff0000", 40, 80);
      const wide = sharp({ create: { width: 160, height: 80, channels: 3, background: "black" } });
      const bytes = await wide
        .composite([{ input: red, left: 0, top: 0 }])
        .png()
        .toBuffer();
      const scaled = { width: 4, height: 4, fit };
      const [row] = await tensorRows(await files.tensors(zipOf([{ name: "1.png", bytes }]), { ...format, scaled }));
      const isRed = row!.features.slice(0, 16).map((value) => Math.round(value / 255));
      expect([0, 4, 8, 12].map((index) => isRed[index])).to.deep.equal(column);
      expect(isRed.slice(4, 8)).to.deep.equal(line);
    });
  }

  it("may have images of one size already, turned as they say, which the first one tells", async () => {
    const upright = await sharp(await image("jpeg", "#ffffff", 3, 5))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const same = [
      { name: "a/1.jpg", bytes: upright },
      { name: "b/2.png", bytes: await image("png", "#ffffff", 5, 3) },
    ];
    for (const packed of [zipOf, tarGzOf]) {
      const tensors = await files.tensors(await packed(same), unscaled);
      expect(tensors.featureShape).to.deep.equal([3, 3, 5]);
      expect(await tensorRows(tensors)).to.have.length(2);
      const other = { name: "b/3.png", bytes: await image("png", "#ffffff", 4, 3) };
      expect(await files.refusal(await packed([...same, other]), unscaled)).to.equal(
        "DATASET_INVALID: dataset: b/3.png has 4 × 3 pixels; " +
          "needed: 5 × 3, as the first image has, or data.images.width and height to scale to",
      );
    }
    const large = zipOf([{ name: "a/1.png", bytes: await image("png", "#ffffff", 4097, 1) }]);
    expect(await files.refusal(large, unscaled)).to.contain("a/1.png has 4097 × 1 pixels; needed: at most 4096");
  });

  it("keeps the order of many images", async () => {
    const shades = await Promise.all(Array.from({ length: 50 }, (_, shade) => image("png", `rgb(${shade},0,0)`, 2, 2)));
    const archive = await tarOf(shades.map((bytes, index) => ({ name: `all/${index}.png`, bytes })));
    const rows = await tensorRows(await files.tensors(archive, format, { threadCount: 4 }));
    expect(rows.map(({ features }) => features[0])).to.deep.equal(shades.map((_, shade) => shade));
  });

  const refusals: readonly (readonly [what: string, files: () => Promise<Packed[]> | Packed[], message: RegExp])[] = [
    ["another file", () => [{ name: "a/readme.txt" }], /a file "a\/readme\.txt"; needed: \.png, \.jpg or \.jpeg$/],
    [
      "another kind of image",
      async () => [{ name: "a/1.png", bytes: await image("gif", "red") }],
      /a\/1\.png is neither PNG nor JPEG by its first bytes$/,
    ],
    [
      "a damaged image",
      async () => [{ name: "a/1.png", bytes: (await image("png", "red", 64, 64)).subarray(0, 90) }],
      /a\/1\.png cannot be decoded: /,
    ],
    [
      "an image of too many pixels",
      async () => [{ name: "a/1.png", bytes: pixelBomb(await image("png", "red")) }],
      /a\/1\.png cannot be decoded: Input image exceeds pixel limit/,
    ],
    [
      "an image outside of the folders",
      async () => [
        { name: "a/1.png", bytes: await image("png", "red") },
        { name: "2.png", bytes: await image("png", "red") },
      ],
      /2\.png lies in no folder, and others do; needed: a folder for each class$/,
    ],
    [
      "a file that is there twice",
      async () => {
        const bytes = await image("png", "red");
        return ["a/1.png", "b/1.png", "./a/1.png"].map((name) => ({ name, bytes }));
      },
      /the archive has "(\.\/)?a\/1\.png" twice; needed: each file once$/,
    ],
    [
      "a link",
      () => [{ name: "a/1.png", type: "symlink", linkname: "/etc/passwd" }],
      /the archive has a (sym)?link "a\/1\.png"; needed: files and folders$/,
    ],
    [
      "a path that leads out",
      () => [{ name: "../1.png" }],
      /the archive (has a file "\.\.\/1\.png"; needed: paths inside of the archive|is damaged: invalid relative path: \.\.\/1\.png)$/,
    ],
    [
      "an absolute path",
      () => [{ name: "/1.png" }],
      /the archive (has a file "\/1\.png"; needed: paths inside of the archive|is damaged: absolute path: \/1\.png)$/,
    ],
    ["nothing in it", () => [], /the archive has no images; needed: PNG or JPEG files|no archive/],
    [
      "more bytes than the bound",
      () => Array.from({ length: 5 }, (_, index) => ({ name: `a/${index}.png`, bytes: Buffer.alloc(2 ** 20) })),
      /the archive has more than 4194304 bytes without compression$/,
    ],
  ];
  for (const [name, packed] of Object.entries({ ZIP: zipOf, "TAR in gzip": tarGzOf })) {
    for (const [what, content, message] of refusals) {
      it(`as ${name} is refused for ${what}`, async () => {
        const refusal = await files.refusal(await packed(await content()), format, { expandedBytesMax: 4 * 2 ** 20 });
        expect(refusal).to.match(/^DATASET_INVALID: dataset: /);
        expect(refusal).to.match(message);
      });
    }
    it(`as ${name} is refused where it is cut`, async () => {
      const archive = await packed([{ name: "a/1.png", bytes: await image("png", "red") }]);
      expect(await files.refusal(archive.subarray(0, -30), format)).to.match(
        /^DATASET_INVALID: dataset: the archive is damaged: /,
      );
    });
  }

  it("is refused for an image's file of too many bytes", async () => {
    const archive = zipOf([{ name: "a/1.png", bytes: Buffer.alloc(65 * 2 ** 20) }]);
    expect(await files.refusal(archive, format)).to.contain("a/1.png has 68157440 bytes; needed: at most 67108864");
  });

  it("is refused for bytes that are no archive", async () => {
    expect(await files.refusal("hello", format)).to.equal(
      "DATASET_INVALID: dataset: the file is no archive; needed: ZIP, TAR or a TAR in gzip",
    );
  });
});

/** A PNG file that says it is 50,000 × 50,000. */
function pixelBomb(png: Buffer): Buffer {
  const bomb = Buffer.from(png);
  bomb.writeUInt32BE(50_000, 16);
  bomb.writeUInt32BE(50_000, 20);
  return bomb;
}
