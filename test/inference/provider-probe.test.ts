import { expect } from "chai";
import { probedProviders } from "../../services/inference/worker/provider-probe.ts";
import { useSoftwareVulkan } from "./software-vulkan.ts";

describe("the search for execution providers", function () {
  this.timeout(120_000);
  let restore: (() => void) | undefined;
  afterEach(() => {
    restore?.();
    restore = undefined;
    delete process.env.NODE_OPTIONS;
  });
  const found = (...wanted: string[]) => probedProviders(wanted, new AbortController().signal);

  it("finds the CPU without looking", async () => {
    expect(await found("cpu")).to.deep.equal({ executionProviders: ["cpu"], missing: {} });
  });

  it("says why a provider does not work, and goes on with the others in their order", async () => {
    process.env.VK_DRIVER_FILES = "/none";
    process.env.VK_ICD_FILENAMES = "/none";
    restore = () => {
      delete process.env.VK_DRIVER_FILES;
      delete process.env.VK_ICD_FILENAMES;
    };
    const { executionProviders, missing } = await found("webgpu", "dml", "cpu");
    expect(executionProviders).to.deep.equal(["cpu"]);
    expect(missing.webgpu).to.match(/adapter/i);
    expect(missing.dml).to.match(/^the runtime was built for cpu, .*on this platform$/);
  });

  it("says which library CUDA and TensorRT lack", async function () {
    const { executionProviders, missing } = await found("tensorrt", "cuda");
    if (process.platform !== "linux" || process.arch !== "x64" || executionProviders.includes("cuda")) this.skip();
    for (const why of Object.values(missing)) expect(why).to.match(/lib[\w.]+: cannot open shared object file/);
    expect(Object.keys(missing)).to.include("cuda");
  });

  it("survives a driver that crashes", async () => {
    process.env.NODE_OPTIONS = `--import "data:text/javascript,process.kill(process.pid,'SIGSEGV')"`;
    expect((await found("cuda", "cpu")).missing).to.deep.equal({ cuda: "its probe was ended by SIGSEGV" });
  });

  it("ends when it is told to", async () => {
    process.env.NODE_OPTIONS = '--import "data:text/javascript,setInterval(()=>0,1000);await new Promise(()=>0)"';
    const stopping = new AbortController();
    const search = probedProviders(["cuda"], stopping.signal);
    stopping.abort();
    expect((await search).missing.cuda).to.match(/aborted/);
  });

  it("finds WebGPU on software Vulkan, where there is some", async function () {
    restore = useSoftwareVulkan();
    if (restore === undefined) this.skip();
    expect(await found("webgpu", "cpu")).to.deep.equal({ executionProviders: ["webgpu", "cpu"], missing: {} });
  });
});
