/** The one command for each problem, in the words of the machine's own distribution. */
import { join } from "node:path";
import { CUDA_13_DRIVER, type Machine } from "../machine/mod.ts";

type Distribution = Pick<Machine, "distributions" | "distributionVersion">;
/** Whose shell: PowerShell on Windows. */
type System = Pick<Machine, "os">;
/** Whose package manager, and whose names of packages. */
type Family = "ubuntu" | "debian" | "rhel" | "fedora" | "suse" | "arch" | "other";

const FAMILIES: Readonly<Record<string, Family>> = {
  ubuntu: "ubuntu",
  debian: "debian",
  rhel: "rhel",
  centos: "rhel",
  rocky: "rhel",
  almalinux: "rhel",
  fedora: "fedora",
  suse: "suse",
  opensuse: "suse",
  arch: "arch",
};

function family({ distributions }: Distribution): Family {
  for (const id of distributions) {
    const known = FAMILIES[id];
    if (known !== undefined) return known;
  }
  return "other";
}

/** NVIDIA's own repository for apt has what Debian's and Ubuntu's lack. */
function addAptRepository({ distributions, distributionVersion = "" }: Distribution): string {
  const system = `${distributions[0]}${distributionVersion.replace(".", "")}`;
  const repository = `https://developer.download.nvidia.com/compute/cuda/repos/${system}/x86_64`;
  return `wget ${repository}/cuda-keyring_1.1-1_all.deb && ` +
    "sudo dpkg -i cuda-keyring_1.1-1_all.deb && sudo apt-get update";
}

/** Installs a driver that is new enough for CUDA 13. */
export function installDriver(machine: Machine): string {
  // The driver of WSL is Windows's; this opens the page in the browser there.
  if (machine.wsl) return "cmd.exe /c start https://www.nvidia.com/drivers";
  switch (family(machine)) {
    case "ubuntu":
      return `sudo apt-get install -y nvidia-driver-${CUDA_13_DRIVER}`;
    case "debian":
      return `${addAptRepository(machine)} && sudo apt-get install -y cuda-drivers`;
    case "fedora":
      return "sudo dnf install -y akmod-nvidia";
    case "rhel":
      return "sudo dnf module install -y nvidia-driver:open-dkms";
    case "suse":
      return "sudo zypper install -y nvidia-open-driver-G06-signed-cuda-kmp-meta";
    case "arch":
      return "sudo pacman -S nvidia-open";
    case "other":
      return "xdg-open https://www.nvidia.com/drivers";
  }
}

/** Installs the loader of Vulkan and Mesa's drivers, for WebGPU on cards of AMD and Intel. */
export function installVulkan(machine: Machine): string {
  switch (family(machine)) {
    case "ubuntu":
    case "debian":
      return "sudo apt-get install -y libvulkan1 mesa-vulkan-drivers";
    case "rhel":
    case "fedora":
      return "sudo dnf install -y vulkan-loader mesa-vulkan-drivers";
    case "suse":
      return "sudo zypper install -y libvulkan1 libvulkan_radeon libvulkan_intel";
    case "arch":
      return "sudo pacman -S vulkan-icd-loader vulkan-radeon vulkan-intel";
    case "other":
      return "xdg-open https://docs.mesa3d.org/install.html";
  }
}

/** Packages of NVIDIA's repositories and of PyPI, by the library in them. */
const PACKAGES: readonly (readonly [library: RegExp, system: string, pip: string])[] = [
  [/^libcudart\./, "cuda-cudart-13-0", "nvidia-cuda-runtime"],
  [/^libcublas(Lt)?\./, "libcublas-13-0", "nvidia-cublas"],
  [/^libcurand\./, "libcurand-13-0", "nvidia-curand"],
  [/^libcufft\./, "libcufft-13-0", "nvidia-cufft"],
  [/^libnvrtc\./, "cuda-nvrtc-13-0", "nvidia-cuda-nvrtc"],
  [/^libcudnn\w*\./, "libcudnn9-cuda-13", "nvidia-cudnn-cu13"],
];

/** Installs CUDA's libraries. */
export function installLibraries(machine: Machine, names: readonly string[]): string {
  if (names.every((name) => name.startsWith("libcuda.so"))) return installDriver(machine);
  const rows = PACKAGES.filter(([library]) => names.some((name) => library.test(name)));
  const packages = rows.map(([, system]) => system).join(" ");
  switch (family(machine)) {
    case "ubuntu":
    case "debian":
      return `${addAptRepository(machine)} && sudo apt-get install -y ${packages}`;
    case "rhel":
    case "fedora":
      return `sudo dnf install -y ${packages}`;
    case "suse":
      return `sudo zypper install -y ${packages}`;
    case "arch":
      return "sudo pacman -S cuda cudnn";
    case "other":
      return `python3 -m venv .venv && .venv/bin/pip install ${
        rows.map(([, , pip]) => pip).join(" ")
      }`;
  }
}

/** Tells the loader of folders. */
export function extendLibraryPath(folders: readonly string[]): string {
  return `export LD_LIBRARY_PATH=${folders.join(":")}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`;
}

/** Starts the container again with its GPU. */
export function passGpu(container: Machine["container"]): string {
  if (container === "kubernetes") {
    return "kubectl set resources deployment/NAME --limits=nvidia.com/gpu=1";
  }
  return container === "podman"
    ? "podman run --device nvidia.com/gpu=all --rm -it IMAGE deno task doctor"
    : "docker run --gpus all --rm -it IMAGE deno task doctor";
}

/** Puts the CUDA provider beside the binding. */
export function installProvider(): string {
  return "deno task install:cuda";
}

/** Gives the machine, or the container, more memory. */
export function moreMemory(machine: Machine, bytes: number): string {
  // Windows asks how large its page file may be; macOS makes its own larger, and shows who has memory.
  if (machine.os === "windows") return "SystemPropertiesPerformance.exe";
  if (machine.os === "darwin") return 'open -a "Activity Monitor"';
  const gibibytes = Math.ceil(bytes / 2 ** 30);
  if (machine.memoryLimit !== undefined && machine.memoryTotal > bytes) {
    return `docker run --memory ${gibibytes}g --rm -it IMAGE deno task doctor`;
  }
  const swap = Math.ceil((bytes - machine.memoryTotal) / 2 ** 30) + 2;
  return `sudo fallocate -l ${swap}G /swapfile && sudo chmod 600 /swapfile && ` +
    "sudo mkswap /swapfile && sudo swapon /swapfile";
}

/** Puts a part of the model where it belongs. */
export function copyPart({ os }: System, slot: string): string {
  if (os === "windows") {
    const path = slot.replaceAll("/", "\\");
    return `robocopy /E C:\\path\\to\\${path.split("\\").at(-1)} ${path}`;
  }
  return `mkdir -p ${slot} && cp -r /path/to/${slot.split("/").at(-1)}/. ${join(slot, "/")}`;
}

/** Makes the folders that the parts of a model belong into. */
export function makeSlots({ os }: System, slots: readonly string[]): string {
  return os === "windows" ? `mkdir ${slots.join(", ")}` : `mkdir -p ${slots.join(" ")}`;
}

/** Lets a part of the model lie on another disk. */
export function linkPart({ os }: System, slot: string): string {
  const name = slot.split("/").at(-1);
  return os === "windows"
    ? `New-Item -ItemType Junction -Path ${slot} -Target D:/path/on/a/larger/disk/${name}`
    : `ln -s /path/on/a/larger/disk/${name} ${slot}`;
}

/** Shows who has the memory. */
export function showBusiest({ os }: System): string {
  if (os === "windows") {
    return "Get-Process | Sort-Object WorkingSet -Descending | Select-Object -First 10";
  }
  return os === "darwin"
    ? "ps -axm -o rss,pid,comm | head"
    : "ps -eo rss,pid,comm --sort=-rss | head";
}

/** Shows what takes the space of a disk. */
export function showLargest({ os }: System): string {
  return os === "windows"
    ? "Get-ChildItem -Recurse -File | Sort-Object Length -Descending | " +
      "Select-Object -First 20 Length, FullName"
    : "du -xh -d 2 . | sort -rh | head";
}

/** Makes pictures from another folder, where this one may not be written to. */
export function startElsewhere({ os }: System): string {
  return os === "windows"
    ? '$toolkit = $PWD; cd ~; deno task --config "$toolkit/deno.json" create'
    : 'cd ~ && deno task --config "$OLDPWD/deno.json" create';
}

/** Takes away what stands in a folder's place. */
export function moveAway({ os }: System, folder: string): string {
  const name = folder.replace(/\/$/, "");
  return os === "windows" ? `Rename-Item ${name} ${name}.old` : `mv ${name} ${name}.old`;
}

/**
 * Makes ONNX Runtime's binding load.
 *
 * @param failure What the system said when it did not.
 */
export function mendBinding({ os, arch }: Pick<Machine, "os" | "arch">, failure: string): string {
  if (os === "windows") {
    // Its libraries need Microsoft's runtime for C++; without it "a module could not be found".
    return /os error 126|module/i.test(failure)
      ? `winget install Microsoft.VCRedist.2015+.${arch === "aarch64" ? "arm64" : "x64"}`
      : "Remove-Item -Recurse node_modules; deno install --frozen";
  }
  return /libstdc\+\+|libgcc_s/.test(failure)
    ? "sudo apt-get install -y libstdc++6"
    : "rm -r node_modules && deno install --frozen";
}
