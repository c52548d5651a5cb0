"""PyTorch's times and memory for the same work as the toolkit's, on the same weights.

From: a folder of models in the toolkit's layout, or models/demo.
Run:  python bench/reference/timings.py MODELS [--parts attention,step,decode,run]
                                               [--forms eager,compile,float8]
      python bench/reference/timings.py MODELS --first-picture eager      (a process of its own)
      python bench/reference/timings.py MODELS --first-picture compile

On stdout one JSON object, on stderr how it goes. Times are in milliseconds, medians of repeated
warm runs; memory is in bytes. The parts:

attention  scaled_dot_product_attention at the transformer's shape with each of PyTorch's kernels;
           unless --attention says otherwise, everything after it uses the fastest
step       one forward of the transformer, batch 1 and 2, by CUDA's own clock
denoise    with step: all steps of a picture with guidance, from latents and two captions on the
           device to latents, by the wall clock
decode     both decoders, latents on the device to 8-bit pixels in the computer's memory, in both
           memory formats
run        a whole picture: Gemma 3 and Jina CLIP on prompt and negative prompt, Euler steps with
           guidance, decoding with either decoder; and its memory with everything resident

The first picture is measured from the start of the process (Linux) to pixels in the computer's
memory: imports, weights, and with `compile` compiling. Read the weights once before, so that the
page cache has them. Tokenizing is left out everywhere.

The forms are PyTorch as it is, by torch.compile, and by torch.compile with the products of the
blocks with modulation in float8: e4m3, a scale for each row of a matrix and for each token, by
torch._scaled_mm (Hopper and later).

torch.compile specialises for each shape. `--region block` compiles a block once for all layers,
which is much sooner done than `whole`. Both texts are drawn as token ids; the negative prompt is as
long as the prompt, unless --negative says otherwise.
"""

import argparse
import contextlib
import ctypes
import datetime
import gc
import json
import os
import platform
import statistics
import sys
import threading
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

import models as networks

DECODERS = ("vae", "vae_kl")
RUN_PARTS = ("attention", "step", "denoise", "decode", "run")
FORMS = ("eager", "compile", "float8")
# Each kernel with grouped heads and with repeated ones.
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
ATTENTION = {
    name + end: (kernel, bool(end)) for name, kernel in KERNELS.items() for end in ("", "_repeat")
}
# What stands behind the chosen one, for what it cannot do: the widest heads, for one.
FALLBACKS = [*KERNELS.values(), SDPBackend.MATH]
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
GUIDANCE, SHIFT = 5.0, 6.0
WARM_UPS, WHOLE_RUNS, TIMED_STEPS = 3, 3, 20


def log(line):
    print(line, file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------------------
# Clocks and memory


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def median_ms(device, work):
    return statistics.median(times_ms(device, work))


def times_ms(device, work, repeats=TIMED_STEPS, warm_ups=WARM_UPS):
    """By CUDA events, queued without waiting; on a CPU by the wall clock."""
    for _ in range(warm_ups):
        work()
    synchronise(device)
    if device.type != "cuda":
        starts = [(time.perf_counter(), work(), time.perf_counter()) for _ in range(repeats)]
        return [(end - start) * 1000 for start, _, end in starts]
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for start, end in events:
        start.record()
        work()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in events]


def first_call_ms(device, work):
    """With compiling, where there is something to compile."""
    start = time.perf_counter()
    work()
    synchronise(device)
    return (time.perf_counter() - start) * 1000


def process_age():
    """Seconds since this process was started; clock ticks of 10 ms are as fine as Linux tells."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as stat:
        started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


class Nvml:
    """NVIDIA's management library, without a package for it. Absent, it answers None."""

    class Memory(ctypes.Structure):
        _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]

    class Process(ctypes.Structure):
        _fields_ = [
            ("pid", ctypes.c_uint),
            ("used", ctypes.c_ulonglong),
            ("gpu_instance", ctypes.c_uint),
            ("compute_instance", ctypes.c_uint),
        ]

    def __init__(self, device):
        self.library = None
        if device.type != "cuda":
            return
        with contextlib.suppress(OSError):
            self.library = ctypes.CDLL("libnvidia-ml.so.1")
            self.library.nvmlInit_v2()
            self.device = ctypes.c_void_p()
            uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
            if self.library.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(self.device)):
                self.library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(self.device))

    def driver(self):
        if self.library is None:
            return None
        text = ctypes.create_string_buffer(80)
        self.library.nvmlSystemGetDriverVersion(text, len(text))
        return text.value.decode() or None

    def device_used(self):
        """Of all processes, the driver's own share included."""
        memory = self.Memory()
        if self.library is None:
            return None
        failed = self.library.nvmlDeviceGetMemoryInfo(self.device, ctypes.byref(memory))
        return None if failed else memory.used

    def process_used(self):
        """Of this process; of all on the device where a container hides which one is this."""
        if self.library is None:
            return None
        count, processes = ctypes.c_uint(64), (self.Process * 64)()
        ask = self.library.nvmlDeviceGetComputeRunningProcesses_v3
        if ask(self.device, ctypes.byref(count), processes) or count.value == 0:
            return None
        known = {process.pid: process.used for process in processes[: count.value]}
        used = known.get(os.getpid(), sum(known.values()))
        return None if used >= 2**63 else used


@contextlib.contextmanager
def peak_memory(device, nvml):
    """A dictionary that is filled on leaving; NVML is asked every few milliseconds meanwhile."""
    peaks, done = {}, threading.Event()

    def sample():
        while True:
            for name in ("process_used", "device_used"):
                value = getattr(nvml, name)()
                if value is not None:
                    peaks[f"nvml_{name}"] = max(value, peaks.get(f"nvml_{name}", 0))
            if done.wait(0.005):
                return

    if device.type != "cuda":
        yield peaks
        return
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        torch.cuda.synchronize()
        done.set()
        thread.join()
        sample()
        peaks["torch_max_allocated"] = torch.cuda.max_memory_allocated()
        peaks["torch_max_reserved"] = torch.cuda.max_memory_reserved()


def environment(device, nvml):
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("torch", "triton", "transformers", "safetensors", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or "cpu",
        "device_memory": torch.cuda.get_device_properties(device).total_memory if cuda else None,
        "driver": nvml.driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu_cores": os.cpu_count(),
        **packages,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


# ---------------------------------------------------------------------------------------------
# What is measured


def flow_times(steps):
    """`steps` + 1 times from 0 to 1, equally spaced before the shift (as the toolkit's)."""
    even = [1 - (steps - i) / steps for i in range(steps + 1)]
    return [t / (t + SHIFT * (1 - t)) for t in even]


def guided(conditional, unconditional):
    """Classifier-free guidance, no longer than the conditional velocity."""
    velocity = unconditional + GUIDANCE * (conditional - unconditional)
    axes = (1, 2, 3)
    norms = [torch.linalg.vector_norm(v, dim=axes, keepdim=True) for v in (conditional, velocity)]
    return velocity * (norms[0] / norms[1]).clamp(max=1)


class Pipeline:
    """The parts that were asked for, resident, and compiled where they were asked to be."""

    def __init__(self, options, parts, form="eager"):
        self.options, self.device = options, options.device
        self.parts = {
            part: networks.load(options.models, part, self.device, options.dtype) for part in parts
        }
        if form == "float8" and "transformer" in self.parts:
            transformer = self.parts["transformer"]
            networks.use_float8([*transformer.noise_refiner, *transformer.layers])
        synchronise(self.device)
        if "transformer" in self.parts:
            config = self.parts["transformer"].config
            side = options.size // networks.pixels_per_latent(
                networks.config_of(options.models, "vae")
            )
            self.grid = side // config["patch_size"]
            self.latents = (config["in_channels"], side, side)

    def compile(self, parts):
        # Imported here, because it takes a second that running as it is need not spend.
        import torch._dynamo

        # Where each block is compiled, all kinds and lengths are versions of one function.
        torch._dynamo.config.recompile_limit = 64
        options = {"mode": self.options.mode, "dynamic": False}
        for part in parts:
            module = self.parts[part]
            if part == "transformer" and self.options.region == "block":
                for block in [*module.context_refiner, *module.noise_refiner, *module.layers]:
                    block.compile(**options)
            elif part == "transformer":
                module.text = torch.compile(module.text, **options)
                module.step = torch.compile(module.step, **options)
            else:
                module.compile(**options)

    def random(self, *shape, seed=1):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator).to(self.device)

    def token_ids(self, part, length, seed):
        config = networks.config_of(self.options.models, part)
        vocabulary = config.get("text_config", config)["vocab_size"]
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(8, vocabulary, (1, length), generator=generator).to(self.device)

    def step_inputs(self, batch):
        """Of one forward, with a random caption."""
        config = self.parts["transformer"].config
        rope = self.rope(self.options.caption)
        return (
            self.random(batch, *self.latents),
            torch.full((batch,), 0.3, device=self.device),
            self.random(batch, self.options.caption, config["dim"], seed=2),
            self.random(batch, config["clip_text_dim"], seed=3),
            *rope,
        )

    def rope(self, length):
        config = self.parts["transformer"].config
        return networks.next_dit_rope(config, length, self.grid, self.grid, self.device)

    def encode(self, prompts):
        """[(Gemma's ids, Jina's ids, rotary tables …)] → [(caption, pooled, rotary tables)]."""
        conditionings = []
        for gemma_ids, jina_ids, jina_rope, rope in prompts:
            features = self.parts["text_encoder"](gemma_ids)
            pooled = self.parts["clip_model"](jina_ids, jina_rope)
            conditionings.append((*self.parts["transformer"].text(features, pooled, rope[0]), rope))
        return conditionings

    def prompts(self):
        config = networks.config_of(self.options.models, "clip_model")
        return [
            (
                self.token_ids("text_encoder", length, seed),
                self.token_ids("clip_model", length, seed),
                networks.jina_rope(config, length, self.device),
                self.rope(length),
            )
            for seed, length in enumerate((self.options.caption, self.options.negative))
        ]

    def sample(self, conditionings, steps):
        step = self.parts["transformer"].step
        latents = self.random(1, *self.latents)
        times = flow_times(steps)
        here = torch.tensor(times, device=self.device)
        if self.options.cfg == "batch":
            caption, pooled = (torch.cat(values) for values in list(zip(*conditionings))[:2])
            rope = conditionings[0][2]
        for i in range(steps):
            if self.options.cfg == "batch":
                both = step(
                    latents.expand(2, -1, -1, -1), here[i].expand(2), caption, pooled, *rope
                )
                velocities = both.chunk(2)
            else:
                velocities = [
                    step(latents, here[i : i + 1], caption, pooled, *rope)
                    for caption, pooled, rope in conditionings
                ]
            latents = latents + (times[i + 1] - times[i]) * guided(*velocities)
        return latents

    def decode(self, part, latents):
        """→ [H, W, 3] of 8 bits in the computer's memory."""
        picture = self.parts[part](latents)[0].clamp(-1, 1)
        return ((picture + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).cpu()


def measure_attention(options):
    config = networks.NEXT_DIT_DEFAULTS | networks.config_of(options.models, "transformer")
    heads, kv_heads, width = config["n_heads"], config["n_kv_heads"], config["dim"]
    factor = networks.pixels_per_latent(networks.config_of(options.models, "vae"))
    length = options.caption + (options.size // factor // config["patch_size"]) ** 2
    shape = (1, length, heads + 2 * kv_heads, width // heads)
    qkv = torch.randn(shape, device=options.device, dtype=torch.bfloat16)
    q, k, v = (t.transpose(1, 2) for t in qkv.split([heads, kv_heads, kv_heads], dim=2))
    attend = lambda: networks.grouped_attention(q, k, v)
    times = {"default": median_ms(options.device, attend)}
    for name in ATTENTION:
        try:
            with attention_kernel(name, alone=True):
                times[name] = median_ms(options.device, attend)
        except RuntimeError as error:
            log(f"attention, {name}: {str(error).splitlines()[0]}")
            times[name] = None
    return times


def fastest_attention(times):
    """The default, unless another is faster by more than the noise."""
    name = min((name for name in times if times[name] is not None), key=times.get)
    return name if times[name] < 0.98 * times["default"] else "default"


@contextlib.contextmanager
def attention_kernel(name, alone=False):
    """Of everything inside; what the kernel cannot do goes to the others, unless it is alone."""
    if name == "default":
        yield
        return
    first, networks.REPEAT_HEADS = ATTENTION[name]
    others = [] if alone else [kernel for kernel in FALLBACKS if kernel != first]
    try:
        with sdpa_kernel([first, *others], set_priority=True):
            yield
    finally:
        networks.REPEAT_HEADS = False


def measure_step(options, nvml):
    result = {}
    for form in options.forms:
        pipeline = Pipeline(options, ["transformer"], form)
        if form != "eager":
            pipeline.compile(["transformer"])
        for batch in options.batches:
            inputs = pipeline.step_inputs(batch)
            work = lambda: pipeline.parts["transformer"].step(*inputs)
            first = first_call_ms(options.device, work)
            times = times_ms(options.device, work)
            ms = statistics.median(times)
            with peak_memory(options.device, nvml) as memory:
                work()
            log(f"step, {form}, batch {batch}: {ms:.2f} ms (the first {first:.0f} ms)")
            entry = {"ms": ms, "fastest_ms": min(times), "first_call_ms": first, "memory": memory}
            result.setdefault(form, {})[f"batch_{batch}"] = entry
        if "denoise" in options.parts:
            result[form]["denoise"] = measure_denoise(options, pipeline)
            log(f"denoise, {form}: {result[form]['denoise']['ms']:.0f} ms")
        forget(pipeline)
    return result


def measure_denoise(options, pipeline):
    _, _, caption, pooled, *rope = pipeline.step_inputs(1)
    conditionings = [(caption, pooled, rope), (caption.roll(1, dims=1), -pooled, rope)]

    def denoise():
        start = time.perf_counter()
        pipeline.sample(conditionings, options.steps)
        synchronise(options.device)
        return (time.perf_counter() - start) * 1000

    return {"ms": statistics.median(denoise() for _ in range(options.runs))}


def measure_decode(options, nvml):
    result = {}
    for form in (form for form in options.forms if form != "float8"):
        for name, layout in MEMORY_FORMATS.items():
            for part in DECODERS:
                pipeline = Pipeline(options, [part])
                pipeline.parts[part].to(memory_format=layout)
                if form == "compile":
                    pipeline.compile([part])
                config = pipeline.parts[part].config
                side = options.size // networks.pixels_per_latent(config)
                latents = pipeline.random(1, config["latent_channels"], side, side)
                work = lambda: pipeline.decode(part, latents)
                first = first_call_ms(options.device, work)
                ms = median_ms(options.device, work)
                with peak_memory(options.device, nvml) as memory:
                    work()
                log(f"decode, {part}, {form}, {name}: {ms:.2f} ms (the first {first:.0f} ms)")
                entry = {"ms": ms, "first_call_ms": first, "memory": memory}
                result.setdefault(form, {}).setdefault(part, {})[name] = entry
                forget(pipeline)
        best = {p: min(e["ms"] for e in result[form][p].values()) for p in DECODERS}
        result[form]["vae_kl_over_vae"] = best["vae_kl"] / best["vae"]
    return result


def memory_format(options, decodings, form, part):
    """The name of the faster one for a decoder, where both were measured."""
    form = "eager" if form == "eager" else "compile"
    if options.memory_format != "auto":
        return options.memory_format
    times = decodings.get(form, {}).get(part)
    return min(times, key=lambda name: times[name]["ms"]) if times else "contiguous"


def measure_run(options, nvml, decodings):
    result = {}
    for form in options.forms:
        pipeline = Pipeline(options, networks.PARTS, form)
        formats = {part: memory_format(options, decodings, form, part) for part in DECODERS}
        for part, name in formats.items():
            pipeline.parts[part].to(memory_format=MEMORY_FORMATS[name])
        if form != "eager":
            pipeline.compile(options.compile_parts)
        prompts = pipeline.prompts()

        def stages(steps):
            """Milliseconds by stage; each waits for the one before."""
            times = {}

            def timed(name, work):
                start = time.perf_counter()
                value = work()
                synchronise(options.device)
                times[name] = (time.perf_counter() - start) * 1000
                return value

            conditionings = timed("encode", lambda: pipeline.encode(prompts))
            latents = timed("denoise", lambda: pipeline.sample(conditionings, steps))
            for part in DECODERS:
                picture = timed(f"decode_{part}", lambda: pipeline.decode(part, latents))
                assert picture.shape == (options.size, options.size, 3)
            for part in DECODERS:
                times[f"total_{part}"] = (
                    times["encode"] + times["denoise"] + times[f"decode_{part}"]
                )
            return times

        first = first_call_ms(options.device, lambda: stages(2))
        stages(2)
        runs = [stages(options.steps) for _ in range(options.runs)]
        times = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        with peak_memory(options.device, nvml) as memory:
            stages(2)
        log(f"run, {form}: " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in times.items()))
        entry = {"ms": times, "first_two_steps_ms": first, "memory": memory}
        result[form] = entry | {"memory_formats": formats}
        forget(pipeline)
    return result


def forget(pipeline):
    pipeline.parts.clear()
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_picture(options, nvml):
    """Seconds since the process started, at the end of each stage."""
    marks = {"imported": process_age()}
    with peak_memory(options.device, nvml) as memory:
        parts = [part for part in networks.PARTS if part not in DECODERS or part == options.decoder]
        pipeline = Pipeline(options, parts, options.first_picture)
        name = memory_format(options, {}, options.first_picture, options.decoder)
        pipeline.parts[options.decoder].to(memory_format=MEMORY_FORMATS[name])
        marks["loaded"] = process_age()
        if options.first_picture != "eager":
            pipeline.compile([part for part in options.compile_parts if part in parts])
        conditionings = pipeline.encode(pipeline.prompts())
        synchronise(options.device)
        marks["encoded"] = process_age()
        latents = pipeline.sample(conditionings, options.steps)
        synchronise(options.device)
        marks["denoised"] = process_age()
        pipeline.decode(options.decoder, latents)
        marks["picture"] = process_age()
    log("first picture: " + ", ".join(f"{name} {at:.2f} s" for name, at in marks.items()))
    return {options.first_picture: {"seconds": marks, "memory": memory}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    names = lambda text: text.split(",")
    add("models", help="folder of models")
    add("--device", type=torch.device, default=torch.device("cuda"))
    add("--dtype", choices=("float32",), help="of all parts; by default the toolkit's on a GPU")
    add("--threads", type=int, help="on a CPU; by default as many as PyTorch takes")
    add("--size", type=int, default=1024, help="side of the picture in pixels")
    add("--caption", type=int, default=256, help="tokens of the prompt")
    add("--negative", type=int, help="tokens of the negative prompt; by default as the prompt")
    add("--steps", type=int, default=28)
    add("--runs", type=int, default=WHOLE_RUNS, help="whole pictures of which the median is taken")
    add("--parts", type=names, default=RUN_PARTS, help=f"by default {','.join(RUN_PARTS)}")
    add("--batches", type=lambda text: [int(n) for n in names(text)], default=[1, 2])
    add(
        "--cfg",
        choices=["two", "batch"],
        default="two",
        help="forwards a step: two, or one of both",
    )
    add("--forms", type=names, default=FORMS[:2], help="eager, compile and float8")
    modes = ["default", "max-autotune-no-cudagraphs"]
    add("--mode", choices=modes, default="default", help="torch.compile's")
    add("--region", choices=["whole", "block"], default="whole", help="of the transformer")
    add(
        "--compile-parts",
        type=names,
        help="by default all, for the first picture the transformer alone",
    )
    add("--attention", choices=["auto", "default", *ATTENTION], default="auto")
    add(
        "--memory-format",
        choices=["auto", *MEMORY_FORMATS],
        default="auto",
        help="of the decoders in whole runs; auto: the faster, where decode was measured as well",
    )
    add("--decoder", choices=DECODERS, default=DECODERS[0], help="of the first picture")
    add("--first-picture", choices=FORMS)
    add("--json", action="store_true", help="as it is always: on stdout goes JSON alone")
    options = parser.parse_args()
    options.negative = options.negative or options.caption
    if options.cfg == "batch" and options.negative != options.caption:
        parser.error("--cfg batch wants both prompts of one length")
    if options.dtype is not None:
        options.dtype = getattr(torch, options.dtype)
    if options.compile_parts is None:
        options.compile_parts = ["transformer"] if options.first_picture else list(networks.PARTS)
    lists = (
        (options.parts, RUN_PARTS),
        (options.compile_parts, networks.PARTS),
        (options.forms, FORMS),
    )
    for given, known in lists:
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; expected {', '.join(known)}")
    return options


def main():
    options = arguments()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    nvml = Nvml(options.device)
    result = {}
    kernel = options.attention
    with torch.inference_mode():
        if options.first_picture:
            kernel = "default" if kernel == "auto" else kernel
            with attention_kernel(kernel):
                result["first_picture"] = first_picture(options, nvml)
        else:
            if "attention" in options.parts and options.device.type == "cuda":
                result["attention"] = measure_attention(options)
                if kernel == "auto":
                    kernel = fastest_attention(result["attention"])
            kernel = "default" if kernel == "auto" else kernel
            log(f"attention: {kernel}")
            with attention_kernel(kernel):
                if "step" in options.parts:
                    result["step"] = measure_step(options, nvml)
                if "decode" in options.parts:
                    result["decode"] = measure_decode(options, nvml)
                if "run" in options.parts:
                    result["run"] = measure_run(options, nvml, result.get("decode", {}))
    hidden = ("models", "json", "parts")
    settings = {name: value for name, value in vars(options).items() if name not in hidden}
    settings |= {"device": str(options.device), "attention": kernel, "guidance": GUIDANCE}
    settings["dtype"] = {
        part: str(options.dtype or kind[1]) for part, kind in networks.PARTS.items()
    }
    print(
        json.dumps(
            {"environment": environment(options.device, nvml), "settings": settings} | result,
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
