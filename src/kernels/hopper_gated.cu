// Both products of a gated layer and its gate, on Hopper's own tensor-core instructions.
#include "hopper.cuh"

// A tile of a matrix, as a tensor map describes it: 128 rows of 128 bytes.
__device__ __forceinline__ void copy_tile(u32 to, const TensorMap* map, int column, int row, u32 barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
          to),
      "l"(map), "r"(column), "r"(row), "r"(barrier)
      : "memory");
}

// 64 × 128 more products of 16 values each.
__device__ __forceinline__ void multiply_bf16(float (&d)[64], u64 a, u64 b, int keep) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
               "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" S64 "}, %64, %65, p, 1, 1, 0, 0;\n}\n"
               : F64(d, 0)
               : "l"(a), "l"(b), "r"(keep));
}

// out = silu(a · gateᵀ) · (a · valueᵀ) in bfloat16, for matrices as they are: tiles of 128 × 128 of both
// products. Warpgroups as in int8_product.
extern "C" __global__ __launch_bounds__(384, 1) void gated_product_bf16(
    const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap gate,
    const __grid_constant__ TensorMap value, unsigned short* out, int rows, int width, int k_blocks, int band) {
  constexpr int STAGES = 3, TILE = 128, PITCH = 2 * TILE + 16;
  constexpr u32 PART = TILE * K_BYTES, STAGE = 3 * PART;
  extern __shared__ char raw[];
  __shared__ __align__(8) u64 barriers[2 * STAGES];
  const u32 base = (shared_address(raw) + 1023) & ~1023u;
  const u32 full = shared_address(barriers), empty = full + 8 * STAGES;
  const int group = threadIdx.x >> 7, lane = threadIdx.x & 31, thread = threadIdx.x & 127;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) barrier_init(full + 8 * i, 1), barrier_init(empty + 8 * i, 8);
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  }
  __syncthreads();
  const int tiles_down = (rows + TILE - 1) / TILE, tiles_across = (width + TILE - 1) / TILE;
  const int tiles = tiles_down * tiles_across, of_band = band * tiles_across;
  int stage = 0;
  u32 phase = 0;
  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x != 0) return;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const int first = tile / of_band * band, height = min(band, tiles_down - first), at = tile % of_band;
      const int row = (first + at % height) * TILE, column = at / height * TILE;
      for (int k = 0; k < k_blocks; k++) {
        barrier_wait(empty + 8 * stage, phase ^ 1);
        barrier_expect(full + 8 * stage, STAGE);
        const u32 to = base + stage * STAGE;
        copy_tile(to, &a, 64 * k, row, full + 8 * stage);
        copy_tile(to + PART, &gate, 64 * k, column, full + 8 * stage);
        copy_tile(to + 2 * PART, &value, 64 * k, column, full + 8 * stage);
        if (++stage == STAGES) stage = 0, phase ^= 1;
      }
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    char* const result = raw + (base - shared_address(raw)) + STAGES * STAGE + (group - 1) * 64 * PITCH;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const int first = tile / of_band * band, height = min(band, tiles_down - first), at = tile % of_band;
      const int row0 = (first + at % height) * TILE + (group - 1) * 64, column0 = at / height * TILE;
      const int row_of_lane = ((threadIdx.x >> 5) & 3) * 16 + (lane >> 2);
      float gates[64], values[64];
      int before = 0;
      for (int k = 0; k < k_blocks; k++) {
        barrier_wait(full + 8 * stage, phase);
        const u32 from = base + stage * STAGE;
        const u64 rows_at = descriptor(from + (group - 1) * (64 * K_BYTES));
        const u64 gates_at = descriptor(from + PART), values_at = descriptor(from + 2 * PART);
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (int i = 0; i < 4; i++) {
          multiply_bf16(gates, rows_at + 2 * i, gates_at + 2 * i, k | i);
          multiply_bf16(values, rows_at + 2 * i, values_at + 2 * i, k | i);
        }
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
        if (k > 0 && lane == 0) barrier_arrive(empty + 8 * before);
        before = stage;
        if (++stage == STAGES) stage = 0, phase ^= 1;
      }
      asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
      if (lane == 0) barrier_arrive(empty + 8 * before);
#pragma unroll
      for (int i = 0; i < 64; i++) asm volatile("" : "+f"(gates[i]), "+f"(values[i])::"memory");

      if (thread < 64) asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
      warpgroup_sync(group);
#pragma unroll
      for (int j = 0; j < 16; j++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int i = 4 * j + 2 * half;
          *(u32*)(result + (row_of_lane + 8 * half) * PITCH + 2 * (8 * j + 2 * (lane & 3))) =
              pack(silu(gates[i]) * values[i], silu(gates[i + 1]) * values[i + 1]);
        }
      }
      asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
      warpgroup_sync(group);
      const int row = row0 + thread;
      if (thread < 64 && row < rows) {
        const u32 bytes = 2 * min(TILE, width - column0);
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                         out + (long long)row * width + column0),
                     "r"(shared_address(result + thread * PITCH)), "r"(bytes)
                     : "memory");
      }
      if (thread < 64) asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
    if (thread < 64) asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}
