import { existsSync } from "node:fs";

/**
 * Makes WebGPU use a Vulkan driver that needs no GPU: the one that AMAAS_TEST_VULKAN_ICD names, which `npm test` sets where it has one. Gives
 * what undoes it; undefined where there is none.
 */
export function useSoftwareVulkan(): (() => void) | undefined {
  const driver = process.env.AMAAS_TEST_VULKAN_ICD;
  if (driver === undefined || !existsSync(driver)) return undefined;
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
