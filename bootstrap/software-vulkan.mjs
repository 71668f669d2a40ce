import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { root } from "./root.mjs";

const packed = join(root, "node_modules/@sparticuz/chromium/bin/swiftshader.tar.br");
const folder = join(root, "node_modules/.cache/software-vulkan");
/** The loader that WebGPU opens, the driver that computes on the CPU, and the file that tells the loader of it. */
const files = ["libvulkan.so.1", "libvk_swiftshader.so", "vk_swiftshader_icd.json"];

/**
 * The settings by which tests find a Vulkan that needs no GPU: that of a headless Chromium among the packages, unpacked once. None where it
 * cannot run, or where AMAAS_TEST_VULKAN_ICD names another.
 */
export function softwareVulkan() {
  const isMade = process.platform === "linux" && process.arch === "x64" && existsSync(packed);
  if (!isMade || process.env.AMAAS_TEST_VULKAN_ICD) return {};
  if (!files.every((file) => existsSync(join(folder, file)))) unpack();
  const libraries = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
  return { AMAAS_TEST_VULKAN_ICD: join(folder, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: libraries };
}

/** Beside its place first, so that what is there is whole. */
function unpack() {
  const made = `${folder}.${process.pid}`;
  mkdirSync(made, { recursive: true });
  execFileSync("tar", ["-x", "-C", made, ...files], { input: brotliDecompressSync(readFileSync(packed)) });
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
}
