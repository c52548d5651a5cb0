// Products of rows in 8 bits, on Hopper's own tensor-core instructions.
#include "hopper.cuh"

#define R4(A, I) "+r"(A[I]), "+r"(A[I + 1]), "+r"(A[I + 2]), "+r"(A[I + 3])
#define R16(A, I) R4(A, I), R4(A, I + 4), R4(A, I + 8), R4(A, I + 12)
#define R64(A, I) R16(A, I), R16(A, I + 16), R16(A, I + 32), R16(A, I + 48)

template <int N>
struct Multiply;

#define MULTIPLY(N, REGISTERS, A, B, P, OPERANDS)                                                              \
  template <>                                                                                                 \
  struct Multiply<N> {                                                                                        \
    static __device__ __forceinline__ void step(int (&d)[N / 2], u64 a, u64 b, int keep) {                      \
      asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" P ", 0;\n"                                            \
                   "wgmma.mma_async.sync.aligned.m64n" #N "k32.s32.s8.s8 {" REGISTERS "}, %" A ", %" B ", p;\n}\n" \
                   : OPERANDS                                                                                 \
                   : "l"(a), "l"(b), "r"(keep));                                                              \
    }                                                                                                         \
  };
#define O256 R64(d, 0), R64(d, 64)
#define O160 R64(d, 0), R16(d, 64)
MULTIPLY(256, S128, "128", "129", "130", O256)
MULTIPLY(160, S80, "80", "81", "82", O160)

// Of a kernel: how far it reads ahead, and how a row of its tile lies in shared memory, where the eight rows
// that a warp writes at once fall into different banks.
template <int N, bool GATED>
struct Shape {
  static constexpr int STAGES = N > 192 ? 3 : 4, WIDTH = GATED ? N / 2 : N, PITCH = 2 * WIDTH + 16;
  static constexpr u32 A_BYTES = TILE_ROWS * K_BYTES, STAGE = A_BYTES + N * K_BYTES;
};

// out = (a · matrixᵀ) · scales, of a row and of a column; both matrices are [K / 128, rows, 128]. GATED:
// of matrix' rows, 8 are a gate's and the next 8 what it opens: out = silu(gate) · value, half as wide.
// One warpgroup reads ahead, the other two multiply 64 rows each. A block takes one tile after another; what
// it gives leaves shared memory while the next is multiplied.
template <int N, bool GATED>
__device__ __forceinline__ void int8_product(const signed char* a, const float* row_scales,
                                             const signed char* matrix, const float* column_scales,
                                             unsigned short* out, int rows, int padded_rows, int columns,
                                             int padded_columns, int k_blocks, int band) {
  typedef Shape<N, GATED> Own;
  constexpr int STAGES = Own::STAGES;
  constexpr u32 STAGE = Own::STAGE;
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
  const int tiles_down = (rows + TILE_ROWS - 1) / TILE_ROWS, tiles_across = (columns + N - 1) / N;
  const int tiles = tiles_down * tiles_across, of_band = band * tiles_across;
  int stage = 0;
  u32 phase = 0;
  if (group == 0) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x != 0) return;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const int first = tile / of_band * band, height = min(band, tiles_down - first), at = tile % of_band;
      const int row = (first + at % height) * TILE_ROWS, column = at / height * N;
      for (int k = 0; k < k_blocks; k++) {
        barrier_wait(empty + 8 * stage, phase ^ 1);
        barrier_expect(full + 8 * stage, STAGE);
        const u32 to = base + stage * STAGE;
        copy(to, a + ((long long)k * padded_rows + row) * K_BYTES, Own::A_BYTES, full + 8 * stage);
        copy(to + Own::A_BYTES, matrix + ((long long)k * padded_columns + column) * K_BYTES, N * K_BYTES,
             full + 8 * stage);
        if (++stage == STAGES) stage = 0, phase ^= 1;
      }
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    char* const after = raw + (base - shared_address(raw)) + STAGES * STAGE;
    char* const result = after + (group - 1) * 64 * Own::PITCH;
    float* const scales = (float*)(after + TILE_ROWS * Own::PITCH) + (group - 1) * N;
    const int width = GATED ? columns / 2 : columns;
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const int first = tile / of_band * band, height = min(band, tiles_down - first), at = tile % of_band;
      const int row0 = (first + at % height) * TILE_ROWS + (group - 1) * 64, column0 = at / height * N;
      const int row_of_lane = ((threadIdx.x >> 5) & 3) * 16 + (lane >> 2);
      // Read now, needed when the sums are there.
      float row_scale[2], column_scale[2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int row = row0 + row_of_lane + 8 * i, column = column0 + thread + 128 * i;
        row_scale[i] = row < rows ? row_scales[row] : 0.f;
        column_scale[i] = column < columns ? column_scales[column] : 0.f;
      }
      int d[N / 2];
      int before = 0;
      for (int k = 0; k < k_blocks; k++) {
        barrier_wait(full + 8 * stage, phase);
        const u32 from = base + stage * STAGE;
        const u64 rows_at = descriptor(from + (group - 1) * (64 * K_BYTES));
        const u64 columns_at = descriptor(from + Own::A_BYTES);
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (int i = 0; i < 4; i++) Multiply<N>::step(d, rows_at + 2 * i, columns_at + 2 * i, k | i);
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
        if (k > 0 && lane == 0) barrier_arrive(empty + 8 * before);
        before = stage;
        if (++stage == STAGES) stage = 0, phase ^= 1;
      }
      asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
      if (lane == 0) barrier_arrive(empty + 8 * before);
#pragma unroll
      for (int i = 0; i < N / 2; i++) asm volatile("" : "+r"(d[i])::"memory");

      // The tile before has left by now.
      if (thread < 64) asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
      scales[thread] = column_scale[0];
      if (128 + thread < N) scales[128 + thread] = column_scale[1];
      warpgroup_sync(group);
#pragma unroll
      for (int j = 0; j < N / 8; j += GATED ? 2 : 1) {
        const float2 scale = *(const float2*)(scales + 8 * j + 2 * (lane & 3));
        const float2 other = GATED ? *(const float2*)(scales + 8 * j + 8 + 2 * (lane & 3)) : scale;
#pragma unroll
        for (int half = 0; half < 2; half++) {
          float low = d[4 * j + 2 * half] * (row_scale[half] * scale.x);
          float high = d[4 * j + 2 * half + 1] * (row_scale[half] * scale.y);
          if (GATED) {
            low = silu(low) * (d[4 * j + 4 + 2 * half] * (row_scale[half] * other.x));
            high = silu(high) * (d[4 * j + 5 + 2 * half] * (row_scale[half] * other.y));
          }
          const int place = (GATED ? 4 * j : 8 * j) + 2 * (lane & 3);
          *(u32*)(result + (row_of_lane + 8 * half) * Own::PITCH + 2 * place) = pack(low, high);
        }
      }
      asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
      warpgroup_sync(group);
      const int column = GATED ? column0 / 2 : column0, row = row0 + thread;
      if (thread < 64 && row < rows) {
        const u32 bytes = 2 * min(Own::WIDTH, width - column);
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                         out + (long long)row * width + column),
                     "r"(shared_address(result + thread * Own::PITCH)), "r"(bytes)
                     : "memory");
      }
      if (thread < 64) asm volatile("cp.async.bulk.commit_group;" ::: "memory");
    }
    if (thread < 64) asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}

#define PRODUCT(NAME, N, GATED)                                                                              \
  extern "C" __global__ __launch_bounds__(384, 1) void NAME(                                                  \
      const signed char* a, const float* row_scales, const signed char* matrix, const float* column_scales,    \
      unsigned short* out, int rows, int padded_rows, int columns, int padded_columns, int k_blocks, int band) { \
    int8_product<N, GATED>(a, row_scales, matrix, column_scales, out, rows, padded_rows, columns,              \
                           padded_columns, k_blocks, band);                                                   \
  }
PRODUCT(int8_product_160_bf16, 160, false)
PRODUCT(int8_product_256_bf16, 256, false)
PRODUCT(int8_gated_product_256_bf16, 256, true)
