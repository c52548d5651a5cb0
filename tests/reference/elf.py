"""Makes tests/fixtures/runtime/needs_cuda.so: a shared library that needs two libraries of CUDA.

Made by gcc and GNU ld (12.2.0 and 2.40 of Debian 12) from empty stand-ins for the two; readelf, not
the code under test, says what it needs. Run: python3 tests/reference/elf.py
"""

import pathlib
import subprocess
import tempfile

NEEDED = ["libcudart.so.13", "libcublas.so.13"]
OUTPUT = pathlib.Path(__file__).parent.parent / "fixtures" / "runtime" / "needs_cuda.so"


def gcc(folder: pathlib.Path, source: str, *options: str) -> None:
    command = ["gcc", "-shared", "-nostdlib", "-x", "c", "-", "-x", "none", *options]
    subprocess.run(command, input=source, cwd=folder, text=True, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for library in NEEDED:
            gcc(folder, "", f"-Wl,-soname,{library}", "-o", library)
        small = ["-Os", "-fno-asynchronous-unwind-tables", "-Wl,--build-id=none,-z,noseparate-code,-s"]
        links = ["-Wl,--no-as-needed", "-L.", *(f"-l:{library}" for library in NEEDED)]
        gcc(folder, "int answer(void) { return 42; }", *small, *links, "-o", str(OUTPUT.resolve()))
    dynamic = subprocess.run(
        ["readelf", "-d", OUTPUT], capture_output=True, text=True, check=True
    ).stdout
    print("\n".join(line for line in dynamic.splitlines() if "NEEDED" in line))


if __name__ == "__main__":
    main()
