import { existsSync } from "node:fs";

const drivers = [process.env.AMAAS_TEST_VULKAN_ICD, "/usr/lib/chromium/vk_swiftshader_icd.json"];
const loaders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"].map(
  (folder) => `${folder}/libvulkan.so.1`,
);

/**
 * Makes WebGPU use a Vulkan driver that needs no GPU: the one that AMAAS_TEST_VULKAN_ICD names, or that of Debian's packages
 * chromium and libvulkan1. Gives what undoes it; undefined where there is none.
 */
export function useSoftwareVulkan(): (() => void) | undefined {
  const driver = drivers.find((path) => path !== undefined && existsSync(path));
  if (driver === undefined || !loaders.some(existsSync)) return undefined;
  const names = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
  const before = names.map((name) => process.env[name]);
  for (const name of names) process.env[name] = driver;
  return () => {
    for (const [index, name] of names.entries()) {
      if (before[index] === undefined) delete process.env[name];
      else process.env[name] = before[index];
    }
  };
}
